import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { BlockCoverage } from './block-coverage.ts';
import { crawlFileTarget } from './crawl-file-target.ts';
import { fuzz } from './fuzz.ts';
import { htmlPageTarget } from './html-page-target.ts';
import { noSharedSeeds, sharedSeeds } from './shared-seeds.ts';
import { linkTextTarget } from './link-text-target.ts';
import { watRecordTarget } from './wat-record-target.ts';

/**
 * Coverage-guided fuzzing of the crawl readers, for 3 s each; `PAIRMILL_FUZZ_SECONDS=600 npx vitest run test/fuzz` for long.
 * `PAIRMILL_FUZZ_SEED` goes another way; `PAIRMILL_FUZZ_KEEP=1` writes what was kept into corpus/.
 * A finding prints its input in base64: it becomes a case of crawl-regressions.test.ts.
 */
const { PAIRMILL_FUZZ_SECONDS: seconds, PAIRMILL_FUZZ_SEED: seed, PAIRMILL_FUZZ_KEEP: keep } = process.env;
const milliseconds = Number(seconds ?? 3) * 1000;

/** Longer inputs are not committed: all together they would be a megabyte. */
const LONGEST_COMMITTED = 2000;

// Made before anything of it has run.
const coverage = new BlockCoverage(/\/src\/(?:formats|stages\/extract)\//);

describe('fuzzing', () => {
  it.each([crawlFileTarget, watRecordTarget, htmlPageTarget, linkTextTarget])(
    `$name, ${milliseconds / 1000} s${noSharedSeeds}`,
    { timeout: milliseconds + 60_000 },
    async (target) => {
      const file = join(import.meta.dirname, 'corpus', `${target.name}.json`);
      const corpus: Buffer[] = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]).map((text) => Buffer.from(text, 'base64')) : [];
      corpus.push(...(keep ? [] : await sharedSeeds(target.name)));
      const result = await fuzz(target, {
        coverage,
        milliseconds,
        seed: Number(seed ?? 1),
        corpus,
        ...(seconds === undefined ? {} : { longestMilliseconds: 5000 }),
      });
      console.log(`${target.name}: ${result.inputs} inputs, ${result.blocks} blocks, ${result.kept.length} kept`);
      if (!keep) return;
      // The shortest that reach all that was reached.
      const { kept } = await fuzz(
        { ...target, seeds: () => [] },
        { coverage, milliseconds: 0, seed: 1, counts: false, corpus: result.kept.toSorted((a, b) => a.length - b.length) },
      );
      const texts = kept.map((input) => input.toString('base64')).filter((text) => text.length <= LONGEST_COMMITTED);
      writeFileSync(file, `${JSON.stringify(texts, null, 1)}\n`);
    },
  );
});
