import { existsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { lockRun } from '../runtime/lock-run.ts';
import { isUrl } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';
import { assertWritableFolder } from './check-paths.ts';
import type { CommandIo } from './command.ts';

/**
 * Holds the lock of a run while `task` works on it, with a signal that is aborted where the lock is lost too. Nothing is written there
 * before the lock is held.
 */
export async function withLockedRun<T>(location: string, io: CommandIo, task: (io: CommandIo) => Promise<T>): Promise<T> {
  await assertWritableFolder(location, '--run-dir');
  const isNew = !isUrl(location) && !existsSync(location);
  const lock = await lockRun(await openStorage(location, io.environment), { note: (line) => io.err(`${line}\n`), signal: io.signal });
  const lost = new AbortController();
  lock.lost.catch((error: unknown) => lost.abort(error));
  try {
    return await task({ ...io, signal: AbortSignal.any([io.signal, lost.signal]) });
  } finally {
    await lock.release().catch(() => undefined);
    // The lock has made it. A command that was refused leaves nothing; a folder with something in it stays.
    if (isNew) await rmdir(location).catch(() => undefined);
  }
}
