import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { programEnvironment } from './postgres-package.ts';
import { asAccount, type ServerAccount } from './server-account.ts';
import { serverError, startStopped } from './server-error.ts';
import { ownedFolder } from './server-root.ts';
import type { ServerPrograms } from './server-programs.ts';

export interface DataFolderSettings {
  readonly serverRoot: string;
  readonly programs: ServerPrograms;
  readonly account: ServerAccount;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes `serverRoot/data` with initdb (2 s) unless it is there; returns true where it did. A folder of another account's or of
 * another major version is none that the server can use, so it is made anew. It is made under another name and renamed:
 * an end in the middle leaves nothing that looks like a database. Throws RunError with the reason.
 */
export async function makeDataFolder(settings: DataFolderSettings): Promise<boolean> {
  const { serverRoot, account, signal } = settings;
  const data = join(serverRoot, 'data');
  if (await isUsable(data, settings)) return false;
  await rm(data, { recursive: true, force: true });
  // An initdb whose run was killed may still be writing into its folder for a moment, so each has its own.
  for (const name of await readdir(serverRoot))
    if (/^initdb(-\w{6})?$/.test(name)) await rm(join(serverRoot, name), { recursive: true, force: true, maxRetries: 5 });
  // The account may own nothing in `serverRoot` but what it is given, so a folder of its own holds the unfinished one.
  const work = await mkdtemp(join(serverRoot, 'initdb-'));
  try {
    await ownedFolder(work, account);
    await initdb(join(work, 'data'), settings);
    if (signal?.aborted) throw startStopped(signal);
    await rename(join(work, 'data'), data);
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
  return true;
}

async function isUsable(data: string, { programs, account }: DataFolderSettings): Promise<boolean> {
  const version = await readFile(join(data, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (version?.trim() !== programs.major) return false;
  const { uid } = await stat(data);
  // Outside the namespace the files are ours.
  return uid === (account.how === 'nobody' ? account.uid : process.getuid?.());
}

async function initdb(data: string, { serverRoot, programs, account, signal }: DataFolderSettings): Promise<void> {
  if (signal?.aborted) throw startStopped(signal);
  // Text sorts by its bytes, on every machine alike. `trust`: only who can enter the socket's folder gets to ask.
  const flags = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-instructions'];
  const { file, args, ...ids } = asAccount(account, join(programs.root, 'bin', 'initdb'), flags);
  const child = spawn(file, args, { ...ids, cwd: '/', env: programEnvironment(programs), stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-10_000)));
  // At a SIGTERM it finishes its step first (0.7 s on a fast disk).
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  try {
    const [code, ended] = await new Promise<[number | null, string | null]>((resolve, reject) => {
      child.once('error', reject);
      // Not `exit`: its own children hold the pipe open, and `close` comes when they are gone as well.
      child.once('close', (...end) => resolve(end));
    });
    if (signal?.aborted) throw startStopped(signal);
    if (code !== 0) throw new Error(`initdb ended with ${ended ?? `code ${code}`}: ${firstError(said)}`);
  } catch (cause) {
    throw serverError(serverRoot, cause, said);
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

/** The first line that tells of an error; what comes after it are its consequences. */
function firstError(said: string): string {
  const lines = said.split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => /error|FATAL|PANIC|could not/i.test(line)) ?? lines[0] ?? 'it said nothing').replace(/^initdb: (error: )?/, '').trim();
}
