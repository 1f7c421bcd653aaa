import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { messageOf, RunError } from '../contracts/errors.ts';

const exec = promisify(execFile);

/**
 * As whom the server runs. PostgreSQL refuses uid 0, and initdb a uid that has no name.
 * `own`: as we are. `namespace`: in a user namespace in which we bear another number; outside it the files stay
 * ours, so folders under a 0700 home can be reached. `nobody`: as that account. No account is ever created.
 */
export type ServerAccount =
  | { readonly how: 'own' }
  | { readonly how: 'namespace'; readonly uid: number; readonly gid: number }
  | { readonly how: 'nobody'; readonly uid: number; readonly gid: number };

/** A command as `child_process` wants it. */
export interface Invocation {
  readonly file: string;
  readonly args: string[];
  readonly uid?: number;
  readonly gid?: number;
}

/** The same command, run as the account. It keeps its process id: neither `unshare` nor setuid leaves a parent between. */
export function asAccount(account: ServerAccount, file: string, args: string[]): Invocation {
  if (account.how === 'own') return { file, args };
  const { uid, gid } = account;
  if (account.how === 'nobody') return { file, args, uid, gid };
  return { file: 'unshare', args: ['--user', `--map-user=${uid}`, `--map-group=${gid}`, '--', file, ...args] };
}

/**
 * Chooses the account. `allowNamespace: false` goes without user namespaces (tests, and hosts where they are refused).
 * Throws RunError where there is no way to start PostgreSQL.
 */
export async function chooseAccount(allowNamespace: boolean): Promise<ServerAccount> {
  const root = process.getuid?.() === 0;
  if (!root && hasName()) return { how: 'own' };
  const ids = await nobodyIds();
  const namespace: ServerAccount = { how: 'namespace', ...ids };
  let refusal = 'user namespaces were switched off';
  if (allowNamespace) {
    try {
      await runAs(namespace, 'true', []);
      return namespace;
    } catch (error) {
      refusal = messageOf(error).trim();
    }
  }
  const nobody: ServerAccount = { how: 'nobody', ...ids };
  if (root) {
    try {
      await runAs(nobody, 'true', []);
      return nobody;
    } catch (error) {
      refusal += `; ${messageOf(error).trim()}`;
    }
  }
  throw new RunError(
    `PostgreSQL can't be started as ${root ? 'root' : 'a user without a name'}, and no user namespace can be had (${refusal}). ` +
      'Run as an ordinary user, or give a server with --db postgres://….',
  );
}

/** Runs a command to its end as the account. Rejects with its output where it fails. */
export async function runAs(account: ServerAccount, file: string, args: string[], env?: Record<string, string>): Promise<string> {
  const { file: program, args: argv, ...ids } = asAccount(account, file, args);
  const { stdout } = await exec(program, argv, { ...ids, cwd: '/', ...(env ? { env } : {}) });
  return stdout;
}

/** True where the account can go into the folder. */
export async function canEnter(account: ServerAccount, folder: string): Promise<boolean> {
  return runAs(account, 'sh', ['-c', 'cd "$1"', 'sh', folder]).then(
    () => true,
    () => false,
  );
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

async function nobodyIds(): Promise<{ uid: number; gid: number }> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const entry = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'nobody');
  return { uid: Number(entry?.[2] ?? 65534), gid: Number(entry?.[3] ?? 65534) };
}
