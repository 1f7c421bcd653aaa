import { Session, type Profiler } from 'node:inspector';

/**
 * Which blocks of our sources have run, from V8's own block coverage: no instrumentation, about 0.8 ms a look.
 * (Jazzer.js would do this and more, but its native part asks for glibc 2.38, newer than Debian 12's.)
 */
export class BlockCoverage {
  readonly #session = new Session();
  readonly #sources: RegExp;

  /** `sources`: which scripts count, by their path. */
  constructor(sources: RegExp) {
    this.#sources = sources;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** The blocks that have run since the last look. With `counts` also how often, in steps of powers of four. */
  take(counts = false): Set<string> {
    const blocks = new Set<string>();
    let scripts: Profiler.ScriptCoverage[] = [];
    // The answer of a session within one thread is there when the call returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error;
      scripts = answer.result;
    });
    for (const { url, functions } of scripts) {
      if (!this.#sources.test(url)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count === 0) continue;
          const place = `${url}:${startOffset}-${endOffset}`;
          blocks.add(place);
          if (counts) blocks.add(`${place}*${Math.ceil(Math.log2(count) / 2)}`);
        }
      }
    }
    return blocks;
  }
}
