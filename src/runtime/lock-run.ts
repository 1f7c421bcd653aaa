import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { RunError, UsageError } from '../contracts/errors.ts';
import type { Storage } from '../contracts/storage.ts';
import { lockFolder } from './run-lock.ts';

/** The lock of a run in an object store: it expires unless its owner renews it. */
const RemoteLock = z.object({ owner: z.string(), who: z.string(), expires: z.number().describe('unix milliseconds') });

const NAME = '_lock.json';
const VALID_MS = 45_000;
const RENEW_MS = 10_000;
const TAKE_OVER_MS = 2_000;

export interface RunLock {
  /** Rejects where the lock was lost: another coordinator may be at work. */
  readonly lost: Promise<never>;
  release(): Promise<void>;
}

/**
 * One coordinator at a time works on a run. Locally the lock is the operating system's and dies with its process; in an object store
 * it is an object that expires. Throws UsageError where another coordinator is at work.
 */
export async function lockRun(storage: Storage): Promise<RunLock> {
  if (storage.remote) return lockRemote(storage);
  const release = await lockFolder(storage.location);
  return { lost: new Promise<never>(() => undefined), release };
}

async function lockRemote(storage: Storage): Promise<RunLock> {
  const owner = randomUUID();
  const who = `pid ${process.pid} on ${hostname()}`;
  const text = (): string => JSON.stringify({ owner, who, expires: Date.now() + VALID_MS } satisfies z.infer<typeof RemoteLock>);
  let takenOver = false;
  while (!(await storage.createText(NAME, text()))) {
    const held = parse(await storage.readText(NAME));
    if (held && held.expires > Date.now())
      throw new UsageError(
        `Another pairmill process (${held.who}) works on ${storage.location}. Wait for it, stop it, or give another --run-dir. If it was killed, its lock ends in ${Math.ceil((held.expires - Date.now()) / 1000)} s.`,
      );
    await storage.remove(NAME);
    takenOver = true;
  }
  // Two that find the same expired lock may each remove what the other has just made: whoever is left after a while has it.
  if (takenOver) {
    await sleep(TAKE_OVER_MS);
    if (parse(await storage.readText(NAME))?.owner !== owner) return lockRemote(storage);
  }
  let lose: (error: Error) => void = () => undefined;
  const lost = new Promise<never>((_resolve, reject) => (lose = reject));
  lost.catch(() => undefined);
  const timer = setInterval(() => void renew().catch(() => undefined), RENEW_MS);
  timer.unref();
  const renew = async (): Promise<void> => {
    const held = parse(await storage.readText(NAME));
    if (held?.owner === owner) await storage.writeText(NAME, text());
    else lose(new RunError(`The lock on ${storage.location} was taken by another process (${held?.who ?? 'unknown'}). This one stops; the other goes on.`));
  };
  return {
    lost,
    async release() {
      clearInterval(timer);
      if (parse(await storage.readText(NAME))?.owner === owner) await storage.remove(NAME);
    },
  };
}

function parse(text: string | undefined): z.infer<typeof RemoteLock> | undefined {
  if (text === undefined) return undefined;
  try {
    return RemoteLock.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
