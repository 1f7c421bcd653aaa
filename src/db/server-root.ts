import { chmod, chown, lstat, mkdir, mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { RunError, UsageError } from '../contracts/errors.ts';
import { canEnter, type ServerAccount } from './server-account.ts';
import { stopOrphan } from './server-processes.ts';
import { readServerRecord, type ServerHome, type ServerRecord, writeServerRecord } from './server-record.ts';

/** sun_path holds 108 bytes on Linux and 104 on macOS, the file name `.s.PGSQL.5432` and a NUL included. */
const MAX_SOCKET_FOLDER_BYTES = 104 - '/.s.PGSQL.5432'.length - 1;

/** What a server has in its folder, as far as it may have been copied along with the run folder. */
const OURS = /^(data|initdb(-\w{6})?|lib|runtime(\.partial)?|server\.log)$/;

/**
 * The folder of data/ and runtime/: `home` (in the run folder) where the account can reach it, else a private folder under
 * /var/tmp, which the record names and later starts use again. The database is a cache, so one that is gone, or that
 * this user can't use, is replaced.
 *
 * In a run folder that was copied or moved the record is another folder's: what it names is left alone, since the other
 * run may be working there, and what was copied along is removed: files that were copied from under a running server are
 * no database. Throws UsageError where `postgres/` holds what this run must not remove.
 */
export async function chooseServerRoot(home: ServerHome, account: ServerAccount): Promise<ServerRecord> {
  const record = await readServerRecord(home);
  if (typeof record === 'object') {
    if (await isUsable(record.serverRoot, home, account)) return record;
  } else {
    await clearCopied(home, record);
  }
  let serverRoot = home.path;
  if (!(await canEnter(account, serverRoot))) {
    serverRoot = await mkdtemp((await exists('/var/tmp')) ? '/var/tmp/pairmill-' : join(tmpdir(), 'pairmill-'));
    await chmod(serverRoot, 0o711);
  }
  return writeServerRecord(home, { serverRoot });
}

async function isUsable(serverRoot: string, home: ServerHome, account: ServerAccount): Promise<boolean> {
  const info = await lstat(serverRoot).catch(() => undefined);
  if (!info?.isDirectory() || !(await canEnter(account, serverRoot))) return false;
  // What lies under /var/tmp may by now be a folder of that name of someone else's.
  return serverRoot === home.path || info.uid === process.getuid?.();
}

async function clearCopied({ path, identity }: ServerHome, record: 'none' | 'strange'): Promise<void> {
  const names = await readdir(path);
  if (!names.includes('data')) return;
  if (!path.startsWith(identity.folder + sep)) {
    throw new UsageError(
      `${identity.folder}/postgres is a link to ${path}, which holds the database of another run. Let it lead to an empty folder, or remove the link.`,
    );
  }
  if (record === 'none') {
    throw new UsageError(
      `${path} holds files that are not of this run's PostgreSQL. Give another --run-dir; or, if they are no one's, remove ${path}: the run makes its database anew.`,
    );
  }
  // A server that was started on this very path is none of the folder's that was copied.
  await stopOrphan(join(path, 'data'));
  for (const name of names) if (OURS.test(name)) await rm(join(path, name), { recursive: true, force: true });
}

/** A new folder with a short path for the socket, which only the account can enter. */
export async function socketFolder(account: ServerAccount): Promise<string> {
  const parent = (await exists('/tmp')) ? '/tmp' : tmpdir();
  const folder = await realpath(await mkdtemp(join(parent, 'pairmill-')));
  if (Buffer.byteLength(folder) > MAX_SOCKET_FOLDER_BYTES) {
    await rm(folder, { recursive: true, force: true });
    throw new RunError(
      `The path of the temporary folder ${folder} is too long for a Unix socket (${MAX_SOCKET_FOLDER_BYTES} bytes). Set TMPDIR to a shorter one.`,
    );
  }
  await give(folder, account);
  return folder;
}

/** A folder that the account owns. */
export async function ownedFolder(path: string, account: ServerAccount): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await give(path, account);
}

async function give(path: string, account: ServerAccount): Promise<void> {
  if (account.how === 'nobody') await chown(path, account.uid, account.gid);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
