import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, PairmillError, RunError, systemCode, UsageError } from '../contracts/errors.ts';

/** A try fails for a moment, too, while another process lets go of the lock. A tenth of a second in all. */
const TRIES = 5;
const SQLITE_BUSY = 5;

interface HeldLock {
  readonly database: DatabaseSync;
  readonly file: FileHandle;
}

/**
 * Locks of this process by device and inode of their folder. Closing any handle on a file gives up all the locks that the
 * process has on it, so a second try must not even open it. It also keeps the garbage collector from closing them.
 */
const held = new Map<string, HeldLock | undefined>();

/**
 * One process at a time works on a run folder: a second would stop the first one's PostgreSQL as an orphan. The lock is the
 * operating system's, on `.lock`, and dies with its process however that ends; what is in the file, and whether it is
 * there, means nothing. Node has no call for such a lock; SQLite's write transaction is one (node:sqlite).
 * `.lock-owner` says who holds it, for the message only.
 *
 * Returns what releases it. Throws UsageError where another process holds it or the folder can't be written, RunError
 * where the disk is full.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  try {
    await makeFolder(folder);
    const { dev, ino } = await stat(folder, { bigint: true });
    const key = `${dev}:${ino}`;
    if (held.has(key)) throw inUse(folder, { pid: process.pid, host: hostname() });
    held.set(key, undefined);
    try {
      const lock = await acquire(folder);
      held.set(key, lock);
      await writeOwner(folder, lock);
      return () => release(folder, key);
    } catch (error) {
      held.delete(key);
      throw error;
    }
  } catch (error) {
    throw error instanceof PairmillError ? error : cannotLock(folder, error);
  }
}

/** As `mkdir` with `recursive`, which says ENOENT on a read-only file system (Node 24). */
async function makeFolder(folder: string, parentMade = false): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    // In /proc there is no such file although the folder above it is there.
    if (systemCode(error) === 'ENOENT' && dirname(folder) !== folder && !parentMade) {
      await makeFolder(dirname(folder));
      return makeFolder(folder, true);
    }
    if (!(await stat(folder).catch(() => undefined))?.isDirectory()) throw error;
  }
}

async function release(folder: string, key: string): Promise<void> {
  const lock = held.get(key);
  if (!lock) return;
  try {
    await removeFiles(folder);
  } finally {
    await letGo(lock);
    held.delete(key);
  }
}

async function acquire(folder: string): Promise<HeldLock> {
  for (let attempt = 1; ; attempt++) {
    const lock = await tryLock(join(folder, '.lock'));
    if (lock) return lock;
    if (attempt === TRIES) throw inUse(folder, await readOwner(folder));
    await sleep(10 + 20 * Math.random());
  }
}

async function tryLock(path: string): Promise<HeldLock | undefined> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  let database: DatabaseSync | undefined;
  try {
    // An owner leaves the file empty. Anything else in it is no database to SQLite.
    if ((await file.stat()).size > 0) await file.truncate(0);
    database = new DatabaseSync(path);
    // IMMEDIATE and not EXCLUSIVE: of two that try at once, one always gets in. MEMORY: no journal file beside.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE');
    if (await isStillThere(path, file)) return { database, file };
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) {
      await letGo({ database, file });
      throw error;
    }
  }
  await letGo({ database, file });
  return undefined;
}

/**
 * A release removes the file while it holds the lock; who opened it before that holds a lock on nothing. Our handle keeps
 * the inode's number from being given to another file, so if it is there before and after, SQLite opened the same.
 */
async function isStillThere(path: string, file: FileHandle): Promise<boolean> {
  const [ours, there] = await Promise.all([file.stat({ bigint: true }), lstat(path, { bigint: true }).catch(() => undefined)]);
  return there !== undefined && ours.dev === there.dev && ours.ino === there.ino;
}

/** The handle comes last: closing it gives up the lock. */
async function letGo({ database, file }: { database: DatabaseSync | undefined; file: FileHandle }): Promise<void> {
  database?.close();
  await file.close();
}

interface Owner {
  pid: number;
  host: string;
}

async function writeOwner(folder: string, lock: HeldLock): Promise<void> {
  try {
    await writeFile(join(folder, '.lock-owner'), JSON.stringify({ pid: process.pid, host: hostname() } satisfies Owner));
  } catch (error) {
    await removeFiles(folder).catch(() => undefined);
    await letGo(lock);
    throw error;
  }
}

async function readOwner(folder: string): Promise<Owner | undefined> {
  try {
    const { pid, host } = JSON.parse(await readFile(join(folder, '.lock-owner'), 'utf8')) as Partial<Owner>;
    return typeof pid === 'number' && typeof host === 'string' ? { pid, host } : undefined;
  } catch {
    return undefined;
  }
}

/** Only while the lock is held: a file of the next owner is never removed. */
async function removeFiles(folder: string): Promise<void> {
  for (const name of ['.lock-owner', '.lock']) await rm(join(folder, name), { force: true });
}

function inUse(folder: string, owner: Owner | undefined): UsageError {
  const where = owner && owner.host !== hostname() ? ` on ${owner.host}` : '';
  const who = owner ? ` (pid ${owner.pid}${where})` : '';
  return new UsageError(`Another pairmill process${who} works on ${folder}. Wait for it, stop it, or give another --run-dir.`);
}

function cannotLock(folder: string, cause: unknown): PairmillError {
  const options = { cause };
  switch (systemCode(cause)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new RunError(`${folder} can't be locked: its disk is full. Make room there, then start the same command again.`, options);
    case 'ENOENT':
      return new UsageError(`${folder} can't be made: no folder can be made there. Give another --run-dir.`, options);
    case 'EROFS':
      return new UsageError(`${folder} can't be locked: it lies on a read-only file system. Give another --run-dir.`, options);
    case 'EACCES':
    case 'EPERM':
      return new UsageError(`${folder} can't be locked: this user may not write there. Run as its owner, or give another --run-dir.`, options);
    case 'EEXIST':
    case 'ENOTDIR':
      return new UsageError(`${folder} can't be locked: it is no folder. Give another --run-dir.`, options);
    default:
      return new RunError(
        `${folder} can't be locked: ${messageOf(cause)}. Some network file systems have no locks; then give a --run-dir on a local disk.`,
        options,
      );
  }
}
