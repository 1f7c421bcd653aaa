import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpy } from '../../src/formats/npy.ts';
import { readSafetensors } from '../../src/formats/safetensors.ts';
import { readHead } from '../../src/models/head.ts';
import { loadHeads } from '../../src/models/model-heads.ts';
import { safetensorsBytes } from './safetensors-bytes.ts';
import { requireSharedData, sharedData } from '../local-paths.ts';

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
    expect(head.apply(Float32Array.from([3, 4]))).toBeCloseTo(1 / (1 + Math.exp(-3.6)), 6);
  });

  test('two prompts: which is nearer', async () => {
    const head = await readHead(
      await write({ prompts: { shape: [2, 2], data: [1, 0, 0, 1] } }, { input: 'ViT-L/14', meaning: 'argmax over the two rows == 1 means violent' }),
    );
    expect([head.column, head.apply(Float32Array.from([0.9, 0.1])), head.apply(Float32Array.from([0.1, 0.9]))]).toEqual(['violent', 0, 1]);
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
    const path = await write({ weight: { shape: [1, 256], data: Array<number>(256).fill(0) } }, { output: 'x' });
    await expect(loadHeads('mini', [path, path])).rejects.toThrow(/would write the column x, which is taken/);
  });

  test("LAION's heads give the reference's numbers", async (context) => {
    const heads = requireSharedData(context, 'laion-heads');
    const golden = requireSharedData(context, 'clip-golden/vit_b_32_image_embeddings.npy');
    const expected = JSON.parse(await readFile(join(heads, 'expected.json'), 'utf8')) as Record<string, number[]>;
    for (const [what, values] of Object.entries(expected)) {
      const [name, on] = what.split(' on ') as [string, string];
      // One head is too large for a clone: it is tried where the shared data is.
      const file = [heads, join(sharedData, 'laion-heads')].map((folder) => join(folder, `${name}.safetensors`)).find((path) => existsSync(path));
      if (file === undefined && name === 'aesthetic_v2_l_14') continue;
      const head = await readHead(file!);
      const inputs = on === 'clip-golden' ? await readNpy(golden) : await ratings(join(heads, `${on}.safetensors`));
      for (const [i, value] of values.entries()) expect(head.apply(inputs.row(i)), what).toBeCloseTo(value, 5);
    }
    const files = (await readdir(heads)).filter((name) => name.endsWith('.safetensors') && !name.startsWith('aesthetic_ratings'));
    expect(files).toHaveLength(10);
    for (const file of files) expect((await readHead(join(heads, file))).column, file).toMatch(/^(punsafe|aesthetic|inappropriate|violent)$/);
  });
});

async function ratings(path: string): Promise<{ row(i: number): Float32Array }> {
  const { data, shape } = (await readSafetensors(path)).tensors.get('ratings')!;
  return { row: (i) => data.slice(i * shape[1]!, (i + 1) * shape[1]!) };
}
