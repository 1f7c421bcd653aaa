import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpy } from '../../src/formats/npy.ts';
import { readSafetensors, safetensorsBytes } from '../../src/formats/safetensors.ts';
import { type Head, readHead } from '../../src/models/heads/head.ts';
import { openHeadScorer } from '../../src/models/heads/head-scorer.ts';
import { loadHeads } from '../../src/models/heads/model-heads.ts';
import { requireSharedData } from '../local-paths.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heads-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = async (...[tensors, metadata]: Parameters<typeof safetensorsBytes>): Promise<string> => {
  const path = join(folder, 'head.safetensors');
  await writeFile(path, safetensorsBytes(tensors, metadata));
  return path;
};

/** What a head gives for some embeddings, as a part of them is scored. */
async function scores(head: Head, embeddings: readonly Float32Array[], type: '<f2' | '<f4' = '<f4'): Promise<number[]> {
  const scorer = await openHeadScorer([head], head.dimensions, type);
  const length = scorer.rowsPerBlock * head.dimensions;
  const values = type === '<f2' ? new Float16Array(length) : new Float32Array(length);
  for (const [i, embedding] of embeddings.entries()) values.set(embedding, i * head.dimensions);
  const [found] = await scorer.score(values, embeddings.length);
  await scorer.close();
  return [...found!];
}

describe('heads', () => {
  test('layers with activations, standardised, with dimensions set to zero', async () => {
    const head = await readHead(
      await write(
        {
          mean: { shape: [2], data: [0.5, 0.5] },
          variance: { shape: [2], data: [4, 0.25] },
          'layers.0.weight': { shape: [2, 2], data: [1, 0, 0, -1] },
          'layers.0.bias': { shape: [2], data: [0, 0] },
          'layers.1.weight': { shape: [1, 2], data: [2, 3] },
          'layers.1.bias': { shape: [1], data: [0.5] },
        },
        { input: 'ViT-B/32', zeroed_dims: '[1]', l2_normalize_input: 'true', activation: 'relu', output: 'sigmoid', meaning: 'punsafe' },
      ),
    );
    expect(head).toMatchObject({ column: 'punsafe', model: 'ViT-B/32', dimensions: 2 });
    // [3, 4] -> [.6, .8] -> [.6, 0] -> [.05, -1] -> relu [.05, 1] -> 3.6
    expect((await scores(head, [Float32Array.from([3, 4])]))[0]).toBeCloseTo(1 / (1 + Math.exp(-3.6)), 6);
  });

  test('two prompts: which is nearer', async () => {
    const head = await readHead(
      await write({ prompts: { shape: [2, 2], data: [1, 0, 0, 1] } }, { input: 'ViT-L/14', meaning: 'argmax over the two rows == 1 means violent' }),
    );
    expect([head.column, ...(await scores(head, [Float32Array.from([0.9, 0.1]), Float32Array.from([0.1, 0.9])]))]).toEqual(['violent', 0, 1]);
  });

  test('a number depends neither on the other rows of the block nor on the other heads', async (context) => {
    const folder = requireSharedData(context, 'laion-heads');
    const [nsfw, aesthetic] = [await readHead(join(folder, 'nsfw_b32.safetensors')), await readHead(join(folder, 'aesthetic_v1_b_32.safetensors'))];
    const q16 = await readHead(join(folder, 'q16_b_32.safetensors'));
    let state = 1;
    const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32 - 0.5;
    const rows = Array.from({ length: 1501 }, () => Float32Array.from({ length: 512 }, random));
    const alone = (await Promise.all([nsfw, aesthetic, q16].map((head) => scores(head, rows, '<f2')))) as [number[], number[], number[]];
    const together = await openHeadScorer([aesthetic, q16, nsfw], 512, '<f2');
    // Backwards, so that each has another place.
    const values = new Float16Array(together.rowsPerBlock * 512);
    for (const [i, row] of rows.toReversed().entries()) values.set(row, i * 512);
    const found = await together.score(values, rows.length);
    await together.close();
    for (const [head, values] of [
      [1, found[0]!],
      [2, found[1]!],
      [0, found[2]!],
    ] as const)
      expect([...values].toReversed()).toEqual(alone[head]);
    expect(new Set(alone[2])).toEqual(new Set([0, 1]));
  });

  test('what is no head says why', async () => {
    await expect(readHead(await write({ ratings: { shape: [10, 2], data: Array<number>(20).fill(0) } }, { meaning: 'rows = ratings' }))).rejects.toThrow(
      /names no output column/,
    );
    await expect(readHead(await write({ ratings: { shape: [1], data: [0] } }, { output: 'x' }))).rejects.toThrow(/holds ratings and no layers/);
    await expect(readHead(await write({ weight: { shape: [2, 2], data: [0, 0, 0, 0] } }, { output: 'x' }))).rejects.toThrow(/gives 2 numbers/);
    await expect(readHead(await write({ weight: { shape: [1, 2], data: [0, 0] } }, { output: 'x', activation: 'tanh' }))).rejects.toThrow(
      /its activations are none and tanh/,
    );
    const own = await write({ weight: { shape: [1, 256], data: Array<number>(256).fill(0) } }, { output: 'punsafe' });
    await expect(loadHeads('mini', [own])).rejects.toThrow(/column punsafe, which holds the value of LAION's own model or nothing/);
    const path = await write({ weight: { shape: [1, 256], data: Array<number>(256).fill(0) } }, { output: 'x' });
    await expect(loadHeads('mini', [path, path])).rejects.toThrow(/would write the column x, which is taken/);
  });

  test("LAION's heads give the reference's numbers", async (context) => {
    const heads = requireSharedData(context, 'laion-heads');
    const golden = requireSharedData(context, 'clip-golden/vit_b_32_image_embeddings.npy');
    const expected = JSON.parse(await readFile(join(heads, 'expected.json'), 'utf8')) as Record<string, number[]>;
    for (const [what, values] of Object.entries(expected)) {
      const [name, on] = what.split(' on ') as [string, string];
      const head = await readHead(join(heads, `${name}.safetensors`));
      const inputs = on === 'clip-golden' ? await readNpy(golden) : await ratings(join(heads, `${on}.safetensors`));
      const found = await scores(
        head,
        values.map((_, i) => inputs.row(i)),
      );
      for (const [i, value] of values.entries()) expect(Math.abs(found[i]! - value), what).toBeLessThan(1e-4);
    }
    const files = (await readdir(heads)).filter((name) => name.endsWith('.safetensors') && !name.startsWith('aesthetic_ratings'));
    expect(files).toHaveLength(11);
    for (const file of files) expect((await readHead(join(heads, file))).column, file).toMatch(/^(punsafe|aesthetic|inappropriate|violent)$/);
  });
});

async function ratings(path: string): Promise<{ row(i: number): Float32Array }> {
  const { data, shape } = (await readSafetensors(path)).tensors.get('ratings')!;
  return { row: (i) => data.slice(i * shape[1]!, (i + 1) * shape[1]!) };
}
