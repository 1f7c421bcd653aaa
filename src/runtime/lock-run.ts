import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { RunError, UsageError } from '../contracts/errors.ts';
import type { Storage } from '../contracts/storage.ts';
import { lockFolder } from './run-lock.ts';

/** The lock of a run in an object store. Its owner renews it; one that stays as it is belongs to a process that is gone. */
const RemoteLock = z.object({ owner: z.string(), who: z.string(), renewals: z.number() });

const NAME = '_lock.json';

const TIMES = {
  /**
   * A lock that is not renewed for this long is anyone's. It is measured by whoever waits for it, as the clocks of two machines
   * may differ; its owner stops `renewMs` earlier.
   */
  expiresMs: 40_000,
  renewMs: 10_000,
  /** Between two looks at the lock of another, and at our own. */
  lookMs: 2_000,
};

export interface LockSettings extends Partial<typeof TIMES> {
  /** Takes a line for the user. */
  note?: (line: string) => void;
  /** Ends the waiting for a lock. */
  signal?: AbortSignal;
}

export interface RunLock {
  /** Rejects where the lock was lost: another coordinator may be at work. */
  readonly lost: Promise<never>;
  release(): Promise<void>;
}

/**
 * One coordinator at a time works on a run. Locally the lock is the operating system's and dies with its process; in an object store
 * it is an object, which is taken over when it is no longer renewed. Throws UsageError where another coordinator is at work.
 */
export async function lockRun(storage: Storage, settings: LockSettings = {}): Promise<RunLock> {
  if (storage.remote) return lockRemote(storage, settings);
  const release = await lockFolder(storage.location);
  return { lost: new Promise<never>(() => undefined), release };
}

async function lockRemote(storage: Storage, settings: LockSettings): Promise<RunLock> {
  const { expiresMs, renewMs, lookMs } = { ...TIMES, ...settings };
  const owner = randomUUID();
  let renewals = 0;
  const text = (): string => JSON.stringify({ owner, who: `pid ${process.pid} on ${hostname()}`, renewals: renewals++ } satisfies z.infer<typeof RemoteLock>);
  let renewed: number;
  do renewed = performance.now();
  while (!(await storage.createText(NAME, text())) && !(await takeOver(storage, text, owner, () => (renewed = performance.now()), settings)));
  let lose: (error: Error) => void = () => undefined;
  const lost = new Promise<never>((_resolve, reject) => (lose = reject));
  lost.catch(() => undefined);
  const renew = async (): Promise<void> => {
    const held = await storage.readText(NAME);
    if (held !== undefined && parse(held)?.owner === owner && (await storage.replaceText(NAME, held, text()))) return;
    lose(new RunError(`The lock on ${storage.location} was taken by another process (${parse(held)?.who ?? 'unknown'}). This one stops; the other goes on.`));
  };
  let renewing = false;
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - renewed > expiresMs - renewMs)
      lose(new RunError(`The lock on ${storage.location} could not be renewed for ${Math.round((now - renewed) / 1000)} s. Start the same command again.`));
    if (renewing || now - renewed < renewMs) return;
    renewing = true;
    renew().then(
      () => ((renewed = now), (renewing = false)),
      () => (renewing = false),
    );
  }, lookMs);
  timer.unref();
  return {
    lost,
    async release() {
      clearInterval(timer);
      if (parse(await storage.readText(NAME))?.owner === owner) await storage.remove(NAME);
    },
  };
}

/**
 * Waits until the lock has stayed as it is for so long that its owner is gone, and takes it. False where it is free now or went to
 * another. Throws UsageError as soon as its owner renews it.
 */
async function takeOver(storage: Storage, text: () => string, owner: string, taken: () => void, settings: LockSettings): Promise<boolean> {
  const { expiresMs, lookMs, note, signal } = { ...TIMES, ...settings };
  const first = await storage.readText(NAME);
  if (first === undefined) return false;
  const who = parse(first)?.who ?? 'unknown';
  note?.(`${storage.location} is locked by another pairmill process (${who}). If it was killed, this one goes on in ${Math.ceil(expiresMs / 1000)} s.`);
  for (const began = performance.now(); performance.now() - began < expiresMs;) {
    await sleep(lookMs, undefined, { signal }).catch(() => {
      throw new RunError('Stopped while waiting for the lock of the run.');
    });
    const now = await storage.readText(NAME);
    if (now === undefined) return false;
    if (now !== first)
      throw new UsageError(
        `Another pairmill process (${parse(now)?.who ?? who}) works on ${storage.location}. Wait for it, stop it, or give another --run-dir.`,
      );
  }
  taken();
  if (!(await storage.replaceText(NAME, first, text()))) return false;
  // Where the service knows no conditional writes, two may have taken it: whoever is left after a while has it.
  await sleep(lookMs);
  return parse(await storage.readText(NAME))?.owner === owner;
}

function parse(text: string | undefined): z.infer<typeof RemoteLock> | undefined {
  if (text === undefined) return undefined;
  try {
    return RemoteLock.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
