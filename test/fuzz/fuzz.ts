import { randomSource } from '../random-source.ts';
import type { BlockCoverage } from './block-coverage.ts';
import { mutate, type Random } from './mutate.ts';

/** What is fuzzed: a function of bytes that throws where a promise is broken. */
export interface FuzzTarget {
  name: string;
  /** Inputs to begin with. */
  seeds: () => Buffer[];
  /** Words of the format. */
  words: readonly string[];
  run: (input: Buffer) => Promise<void> | void;
}

export interface FuzzOptions {
  /** One for the process, made before any of the sources has run: V8 counts the blocks of functions that it compiles from then on. */
  coverage: BlockCoverage;
  milliseconds: number;
  seed: number;
  /** More inputs to begin with: those that earlier runs have found to reach something new. */
  corpus: readonly Buffer[];
  /** Whether an input is also kept where a block runs more often than it ever did; yes if not given. */
  counts?: boolean;
  /** Longest that one input may take; not asked of short runs, on machines that do other work. */
  longestMilliseconds?: number;
}

export interface FuzzResult {
  inputs: number;
  blocks: number;
  /** Inputs that reached what none before had. */
  kept: Buffer[];
}

/** Thrown where an input breaks a promise; `input` is as short as was found. */
export class FuzzFinding extends Error {
  readonly input: Buffer;

  constructor(input: Buffer, cause: unknown) {
    super(`${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\ninput (base64, ${input.length} bytes): ${input.toString('base64')}`);
    this.input = input;
  }
}

/** Inputs that run between two looks at the coverage. */
const AT_ONCE = 24;

/**
 * Coverage-guided fuzzing: changes inputs, keeps those that reach a block that none before had reached, and goes on from
 * them, for a bounded time. The same seed makes the same inputs as long as the clock does not cut in.
 */
export async function fuzz(
  target: FuzzTarget,
  { coverage, milliseconds, seed, corpus, counts = true, longestMilliseconds = Infinity }: FuzzOptions,
): Promise<FuzzResult> {
  const until = performance.now() + milliseconds;
  const random = randomSource(seed);
  const known = new Set<string>();
  const kept: Buffer[] = [];
  let inputs = 0;
  const check = async (input: Buffer): Promise<void> => {
    inputs++;
    const started = performance.now();
    await target.run(Buffer.from(input));
    const took = performance.now() - started;
    if (took > longestMilliseconds) throw new Error(`took ${Math.round(took)} ms`);
  };
  const attempt = async (input: Buffer): Promise<void> => {
    try {
      await check(input);
    } catch (error) {
      throw new FuzzFinding(await shortened(input, check), error);
    }
  };
  /** Runs one input by itself and keeps it where it reaches something new. */
  const look = async (input: Buffer): Promise<void> => {
    coverage.take();
    await attempt(input);
    let fresh = false;
    for (const block of coverage.take(counts)) {
      if (known.has(block)) continue;
      known.add(block);
      fresh = true;
    }
    if (fresh) kept.push(input);
  };
  for (const input of [...target.seeds(), ...corpus]) await look(input);
  while (performance.now() < until) {
    const tried: Buffer[] = [];
    for (let i = 0; i < AT_ONCE; i++) tried.push(mutate(drawn(kept, random), random, target.words, kept));
    coverage.take();
    for (const input of tried) await attempt(input);
    if (coverage.take().difference(known).size > 0) for (const input of tried) await look(input);
    else await look(random.pick(tried));
  }
  return { inputs, blocks: [...known].filter((block) => !block.includes('*')).length, kept };
}

/** An input to go on from: what was kept last more often than what was there from the start, and the shorter of two. */
function drawn(kept: readonly Buffer[], random: Random): Buffer {
  const [one, other] = [0, 0].map(() => kept[Math.floor(kept.length * Math.sqrt(random.next()))]!) as [Buffer, Buffer];
  return one.length <= other.length ? one : other;
}

/** Leaves out parts of a failing input as long as it still fails; a few hundred tries. */
async function shortened(input: Buffer, check: (input: Buffer) => Promise<void>): Promise<Buffer> {
  let tries = 300;
  for (let size = input.length >> 1; size >= 1 && tries > 0; size >>= 1) {
    for (let at = 0; at + size <= input.length && tries > 0; tries--) {
      const shorter = Buffer.concat([input.subarray(0, at), input.subarray(at + size)]);
      const fails = await check(shorter).then(
        () => false,
        () => true,
      );
      if (fails) input = shorter;
      else at += size;
    }
  }
  return input;
}
