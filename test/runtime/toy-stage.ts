import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { option } from '../../src/contracts/option.ts';
import type { Stage } from '../../src/contracts/stage.ts';
import { publish } from '../../src/runtime/publication.ts';
import type { StageEvents } from '../../src/runtime/run-stage.ts';

const options = z.object({
  modulo: option(z.int().default(3), 'Numbers that this divides are dropped'),
  threads: option(z.int().default(1), 'Does nothing', { decidesResult: false }),
});

/** Copies the numbers of NNNNN.txt that are not divisible by `modulo`. `fail` in a file makes its shard fail. */
export const toyStage: Stage<'extract', typeof options> = {
  name: 'extract',
  does: 'Copies numbers.',
  reads: 'in',
  writes: 'out',
  unit: 'numbers',
  format: 1,
  options,
  async plan({ folders }) {
    const names = (await readdir(folders.input)).filter((name) => name.endsWith('.txt')).sort();
    return Promise.all(
      names.map(async (name) => ({
        name: name.slice(0, -4),
        inputs: [{ path: join(folders.input, name), identity: await readFile(join(folders.input, name), 'utf8') }],
      })),
    );
  },
  async run(shard, { options: { modulo }, folders }, effects) {
    const words = (await readFile(shard.inputs[0]!.path, 'utf8')).split(' ');
    if (words.includes('fail')) throw new Error('the input says fail');
    const kept = words.filter((word) => {
      if (Number(word) % modulo !== 0) return true;
      effects.drop('text-too-short', { hash: BigInt(word), url: word, text: null, value: word, threshold: String(modulo) });
      return false;
    });
    const out = join(folders.output, `${shard.name}.out`);
    await publish(effects, async (publication) => writeFile(await publication.file(out), kept.join(' ')));
    return { in: words.length, out: words.includes('lie') ? 0 : (await readFile(out, 'utf8')).split(' ').filter(Boolean).length };
  },
};

export async function toyFolder(base: string, shards: Record<string, string>): Promise<{ input: string; output: string; rejects: string; stages: object }> {
  const input = join(base, 'in');
  await mkdir(input, { recursive: true });
  for (const [name, content] of Object.entries(shards)) await writeFile(join(input, `${name}.txt`), content);
  return { input, output: join(base, 'out'), rejects: join(base, 'rejects'), stages: {} };
}

/** Events that record which shards were made and which were there. */
export function recordingEvents(): StageEvents & { made: string[]; kept: string[]; failures: string[] } {
  const made: string[] = [];
  const kept: string[] = [];
  const failures: string[] = [];
  return {
    made,
    kept,
    failures,
    progress: () => undefined,
    finished: (stats, already) => void (already ? kept : made).push(stats.shard),
    failed: (shard) => void failures.push(shard),
    reached: () => undefined,
  };
}
