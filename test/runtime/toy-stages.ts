import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { option } from '../../src/contracts/option.ts';
import type { Stage } from '../../src/contracts/stage.ts';
import { wholeInput } from '../../src/contracts/whole-input.ts';

const options = z.object({
  modulo: option(z.int().default(3), 'Numbers that this divides are dropped'),
  threads: option(z.int().default(1), 'Does nothing', { decidesResult: false }),
});

/** Numbers out of files NNNNN.txt that come from outside. `fail` in a file makes its shard fail, `lie` its count wrong. */
export const copyStage: Stage<'extract', typeof options, { file: string }> = {
  name: 'extract',
  does: 'Copies numbers.',
  reads: [],
  takes: 'a folder of numbers',
  writes: 'numbers',
  unit: 'numbers',
  format: 1,
  options,
  work: z.object({ file: z.string() }),
  async plan({ input }) {
    const names = (await readdir(input!)).filter((name) => name.endsWith('.txt')).sort();
    const shards = names.map(async (file) => ({
      name: file.slice(0, -4),
      work: { file },
      inputs: [
        {
          name: file,
          digest: createHash('md5')
            .update(await readFile(join(input!, file)))
            .digest('hex'),
        },
      ],
    }));
    return { shards: await Promise.all(shards), complete: true };
  },
  async run(shard, { options: { modulo }, input }, effects) {
    const words = (await readFile(join(input!, shard.work.file), 'utf8')).split(' ');
    if (words.includes('fail')) throw new Error('the input says fail');
    const kept = words.filter((word) => {
      if (Number(word) % modulo !== 0) return true;
      effects.drop('text-too-short', { hash: BigInt(word), url: word, text: null, value: word, threshold: String(modulo) });
      return false;
    });
    await writeFile(await effects.files.path(`${shard.name}.txt`), kept.join(' '));
    return { in: words.length, out: words.includes('lie') ? 0 : kept.filter(Boolean).length };
  },
};

/** Running sums: each shard depends on all before it. */
export const sumStage: Stage<'sum', z.ZodObject, Record<string, never>> = {
  name: 'sum',
  does: 'Adds up numbers, each shard on top of the one before.',
  reads: [{ dataset: 'numbers' }],
  writes: 'sums',
  unit: 'numbers',
  format: 1,
  options: z.object({}),
  work: z.object({}),
  plan({ datasets: { numbers } }) {
    // What comes after a gap would be decided without it.
    const gap = numbers!.sealed ? -1 : numbers!.shards.findIndex(({ name }, i) => Number(name) !== i);
    const shards = gap < 0 ? numbers!.shards : numbers!.shards.slice(0, gap);
    return {
      shards: shards.map(({ name, digest }, i) => ({
        name,
        work: {},
        inputs: [{ name: `numbers/${name}`, digest }],
        after: i > 0 ? [shards[i - 1]!.name] : [],
      })),
      complete: numbers!.sealed,
    };
  },
  async run({ name, after }, context, effects) {
    const words = (await readFile(await context.dataset('numbers')!.fetch(`${name}.txt`), 'utf8')).split(' ').filter(Boolean);
    const before = after![0] === undefined ? 0 : Number(await readFile(await context.own.fetch(`${after![0]}.sum`), 'utf8'));
    await writeFile(await effects.files.path(`${name}.sum`), String(words.reduce((sum, word) => sum + Number(word), before)));
    return { in: words.length, out: words.length };
  },
};

/** A branch of two inputs, both whole: all that a stage needs to hang on is a folder and a line in the pipeline. */
export const branchStage: Stage<'report', z.ZodObject, Record<string, never>> = {
  name: 'report',
  does: 'Says how many numbers and sums there are.',
  reads: [
    { dataset: 'numbers', whole: true },
    { dataset: 'sums', whole: true },
  ],
  writes: 'report',
  unit: 'shards',
  format: 1,
  options: z.object({}),
  work: z.object({}),
  swaps: true,
  plan({ datasets: { numbers, sums } }) {
    if (!numbers!.sealed || !sums!.sealed) return { shards: [], complete: false };
    return { shards: [{ name: '00000', work: {}, inputs: [wholeInput('numbers', numbers!), wholeInput('sums', sums!)] }], complete: true };
  },
  async run(_shard, context, effects) {
    const [numbers, sums] = await Promise.all(['numbers', 'sums'].map(async (name) => (await context.dataset(name)!.state()).shards.length));
    await writeFile(await effects.files.path('report.txt'), `${numbers} numbers, ${sums} sums`);
    return { in: numbers! + sums!, out: numbers! + sums! };
  },
};

/** Writes files of numbers over those that are there. */
export async function writeNumbers(base: string, files: Record<string, string>): Promise<string> {
  const input = join(base, 'in');
  await mkdir(input, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(input, `${name}.txt`), content);
  return input;
}
