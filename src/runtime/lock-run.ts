import type { Storage } from '../contracts/storage.ts';
import { lockFolder } from './lock-folder.ts';
import { lockPrefix, type PrefixLockSettings } from './lock-prefix.ts';

export interface RunLock {
  /** Rejects where the lock was lost: another coordinator may be at work. */
  readonly lost: Promise<never>;
  release(): Promise<void>;
}

/**
 * One coordinator at a time works on a run. Locally the lock is the operating system's and dies with its process; in an object store
 * it is an object, which is taken over when it is no longer renewed. Throws UsageError where another coordinator is at work.
 */
export async function lockRun(storage: Storage, settings: PrefixLockSettings = {}): Promise<RunLock> {
  if (storage.remote) return lockPrefix(storage, settings);
  return { lost: new Promise<never>(() => undefined), release: await lockFolder(storage.location) };
}
