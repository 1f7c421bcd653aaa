import type { Resources } from '../contracts/stage.ts';
import type { ConnectThread } from './shared-threads.ts';
import { stableJson } from './stable-json.ts';

interface Kept {
  value: Promise<{ close?(): unknown }>;
  /** Shards that use it now. */
  users: number;
}

/** Resources of a kind that a thread keeps at a time: two models of filter and one of embed, say. */
const MAX_PER_KIND = 4;

/** The resources of one thread. Of a kind the least recently used one is closed when there are too many, unless a shard uses it. */
export class ResourcePool {
  readonly #kept = new Map<string, Kept>();
  readonly #connect: ConnectThread;

  constructor(connect: ConnectThread) {
    this.#connect = connect;
  }

  /** The pool as one shard sees it; `release` is called at the end of the shard. */
  forShard(): Resources & { release(): Promise<void> } {
    const used = new Set<Kept>();
    return {
      get: async <T extends object>(kind: string, key: unknown, make: () => T | Promise<T>): Promise<T> => {
        const kept = this.#take(`${kind} ${stableJson(key)}`, make);
        if (!used.has(kept)) {
          used.add(kept);
          kept.users++;
        }
        return (await kept.value) as T;
      },
      thread: this.#connect,
      release: async () => {
        for (const kept of used) kept.users--;
        used.clear();
        await this.#shrink();
      },
    };
  }

  /** Closes everything. */
  async close(): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    for (const kept of all) await closeOne(kept);
  }

  #take(key: string, make: () => unknown): Kept {
    let kept = this.#kept.get(key);
    if (kept) this.#kept.delete(key);
    else {
      kept = { value: (async () => (await make()) as { close?(): unknown })(), users: 0 };
      // One that failed is tried again by the next shard.
      kept.value.catch(() => this.#kept.delete(key));
    }
    // Last used, last in the map.
    this.#kept.set(key, kept);
    return kept;
  }

  async #shrink(): Promise<void> {
    const counts = new Map<string, number>();
    for (const [key, kept] of [...this.#kept].toReversed()) {
      const kind = key.slice(0, key.indexOf(' '));
      const count = (counts.get(kind) ?? 0) + 1;
      counts.set(kind, count);
      if (count <= MAX_PER_KIND || kept.users > 0) continue;
      this.#kept.delete(key);
      await closeOne(kept);
    }
  }
}

async function closeOne({ value }: Kept): Promise<void> {
  const made = await value.catch(() => undefined);
  await made?.close?.();
}
