import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { RunError, UsageError } from '../contracts/errors.ts';
import type { Storage } from '../contracts/storage.ts';

const NAME = '_lock.json';

/** What the object says. Its text changes with each renewal; one that stays as it is belongs to a process that is gone. */
const LockObject = z.object({ owner: z.string(), who: z.string(), renewals: z.number() });
type LockObject = z.infer<typeof LockObject>;

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

export interface PrefixLockSettings extends Partial<typeof TIMES> {
  /** Takes a line for the user. */
  note?: (line: string) => void;
  /** Ends the waiting for a lock. */
  signal?: AbortSignal;
}

/** Locks a prefix of an object store: at once, or when the lock there has expired. Throws UsageError as soon as its owner renews it. */
export async function lockPrefix(storage: Storage, settings: PrefixLockSettings): Promise<PrefixLock> {
  const lock = new PrefixLock(storage, settings);
  while (!(await lock.take()) && !(await lock.takeOver()));
  lock.keep();
  return lock;
}

/** A lock that its owner renews until the release. */
class PrefixLock {
  /** Rejects where another process has taken it, or where it could not be renewed in time. */
  readonly lost: Promise<never>;
  readonly #lose: (error: Error) => void;
  readonly #storage: Storage;
  readonly #settings: typeof TIMES & PrefixLockSettings;
  readonly #owner = randomUUID();
  #renewals = 0;
  /** When the last write that succeeded began. */
  #renewedAt = 0;
  #renewing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(storage: Storage, settings: PrefixLockSettings) {
    this.#storage = storage;
    this.#settings = { ...TIMES, ...settings };
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.lost = promise;
    this.#lose = reject;
  }

  /** False where there is a lock. */
  take(): Promise<boolean> {
    return this.#write((text) => this.#storage.createText(NAME, text));
  }

  /** Waits until the lock of another has stayed as it is for so long that its owner is gone. False where it is free now or went to a third. */
  async takeOver(): Promise<boolean> {
    const { expiresMs, lookMs, note } = this.#settings;
    const { location } = this.#storage;
    const first = await this.#storage.readText(NAME);
    if (first === undefined) return false;
    const who = parse(first)?.who ?? 'unknown';
    note?.(`${location} is locked by another pairmill process (${who}). If it was killed, this one goes on in ${Math.ceil(expiresMs / 1000)} s.`);
    for (const began = performance.now(); performance.now() - began < expiresMs;) {
      await this.#pause();
      const now = await this.#storage.readText(NAME);
      if (now === undefined) return false;
      if (now !== first)
        throw new UsageError(`Another pairmill process (${parse(now)?.who ?? who}) works on ${location}. Wait for it, stop it, or give another --run-dir.`);
    }
    if (!(await this.#write((text) => this.#storage.replaceText(NAME, first, text)))) return false;
    // Where the service knows no conditional writes, two may have taken it: whoever is left after a while has it.
    await sleep(lookMs);
    return this.#isOurs(await this.#storage.readText(NAME));
  }

  /** Renews it from now on. */
  keep(): void {
    this.#timer = setInterval(() => this.#look(), this.#settings.lookMs);
    this.#timer.unref();
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#isOurs(await this.#storage.readText(NAME))) await this.#storage.remove(NAME);
  }

  #look(): void {
    const { expiresMs, renewMs } = this.#settings;
    const age = performance.now() - this.#renewedAt;
    if (age > expiresMs - renewMs)
      this.#lose(new RunError(`The lock on ${this.#storage.location} could not be renewed for ${Math.round(age / 1000)} s. Start the same command again.`));
    if (age < renewMs || this.#renewing) return;
    this.#renewing = true;
    // What fails is tried again at the next look.
    void this.#renew()
      .catch(() => undefined)
      .finally(() => (this.#renewing = false));
  }

  async #renew(): Promise<void> {
    const held = await this.#storage.readText(NAME);
    if (held !== undefined && this.#isOurs(held) && (await this.#write((text) => this.#storage.replaceText(NAME, held, text)))) return;
    const who = parse(held)?.who ?? 'unknown';
    this.#lose(new RunError(`The lock on ${this.#storage.location} was taken by another process (${who}). This one stops; the other goes on.`));
  }

  async #write(write: (text: string) => Promise<boolean>): Promise<boolean> {
    const began = performance.now();
    const lock: LockObject = { owner: this.#owner, who: `pid ${process.pid} on ${hostname()}`, renewals: this.#renewals++ };
    const written = await write(JSON.stringify(lock));
    if (written) this.#renewedAt = began;
    return written;
  }

  async #pause(): Promise<void> {
    try {
      await sleep(this.#settings.lookMs, undefined, { signal: this.#settings.signal });
    } catch {
      throw new RunError('Stopped while waiting for the lock of the run.');
    }
  }

  #isOurs(text: string | undefined): boolean {
    return parse(text)?.owner === this.#owner;
  }
}

function parse(text: string | undefined): LockObject | undefined {
  if (text === undefined) return undefined;
  try {
    return LockObject.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
