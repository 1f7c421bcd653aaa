import { HTTPException } from 'hono/http-exception';
import { messageOf } from '../contracts/errors.ts';
import type { IndexSource, ServedIndex } from './served-index.ts';

/** A build of an index, opened. */
export interface OpenedBuild extends ServedIndex {
  close(): Promise<void>;
}

export interface IndexBuilds<Build extends OpenedBuild> {
  /** What tells the build that is there now from others; undefined where there is none at the moment. */
  version(): Promise<string | undefined>;
  /** Opens the build that is there now. What it has in common with the one before (the model) may be shared. */
  open(before: Build | undefined): Promise<Build>;
  warn(line: string): void;
}

interface Current<Build> {
  build: Build;
  version: string | undefined;
  /** Requests that it answers at the moment. */
  users: number;
  retired: boolean;
  closing?: Promise<void>;
}

/** Builds that one request may meet: index runs that end within a request are rare, two of them have not been seen. */
const MAX_ATTEMPTS = 4;
/** Seconds until a new build that could not be opened is tried again. */
const RETRY_SECONDS = 5;

/**
 * An index that may be built again while it is served. Every request looks whether there is a new build, and opens it; requests under
 * way go on with the one with which they began. The files of an old build may vanish under them (LanceDB opens files by their path
 * whenever it reads): such a request is answered again, from the beginning, by the new build.
 */
export class CurrentIndex<Build extends OpenedBuild> implements IndexSource {
  readonly name: string;
  readonly #builds: IndexBuilds<Build>;
  #current: Current<Build>;
  #renewal: Promise<void> | undefined;
  /** The version that could not be opened last, and when. */
  #failed: { version: string; at: number } | undefined;

  private constructor(builds: IndexBuilds<Build>, current: Current<Build>) {
    this.name = current.build.name;
    this.#builds = builds;
    this.#current = current;
  }

  static async open<Build extends OpenedBuild>(builds: IndexBuilds<Build>): Promise<CurrentIndex<Build>> {
    // The version first: should a new build come in between, the next request sees another version.
    const version = await builds.version();
    return new CurrentIndex(builds, { build: await builds.open(undefined), version, users: 0, retired: false });
  }

  async use<T>(work: (served: ServedIndex) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const current = await this.#take();
      try {
        return await work(current.build);
      } catch (error) {
        const answer = error instanceof HTTPException || attempt === MAX_ATTEMPTS;
        if (answer || [undefined, current.version].includes(await this.#builds.version())) throw error;
      } finally {
        current.users--;
        await closeUnused(current);
      }
    }
  }

  /** Closes the index when the last request is answered. */
  async close(): Promise<void> {
    await this.#renewal;
    this.#current.retired = true;
    await closeUnused(this.#current);
  }

  async #take(): Promise<Current<Build>> {
    const version = await this.#builds.version();
    if (version !== undefined && version !== this.#current.version && !this.#current.retired)
      await (this.#renewal ??= this.#renew(version).finally(() => (this.#renewal = undefined)));
    // Without a wait in between: it can't be closed before it is counted.
    const current = this.#current;
    current.users++;
    return current;
  }

  async #renew(version: string): Promise<void> {
    try {
      if (this.#failed?.version === version && performance.now() - this.#failed.at < 1000 * RETRY_SECONDS) return;
      const before = this.#current;
      const build = await this.#builds.open(before.build);
      this.#current = { build, version, users: 0, retired: false };
      before.retired = true;
      await closeUnused(before);
    } catch (error) {
      this.#failed = { version, at: performance.now() };
      this.#builds.warn(`The new build of the index ${this.name} can't be opened, the one before goes on: ${messageOf(error)}`);
    }
  }
}

async function closeUnused<Build extends OpenedBuild>(current: Current<Build>): Promise<void> {
  if (current.retired && current.users === 0) await (current.closing ??= current.build.close());
}
