import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findModel } from '../../src/models/find-model.ts';
import { type DualEncoder, loadModel } from '../../src/models/load-model.ts';
import { packagedModelFolder } from '../../src/models/registry.ts';
import { readTokenizer } from '../../src/models/tokenizers/tokenizer.ts';

/** What PyTorch and Python's tokenizers made when the model was exported: recipes/mini-clip/export.py. */
interface Golden {
  /** Largest difference of an embedding's element that the float16 and int8 weights of the export may make. */
  tolerance: number;
  tokens: { text: string; ids: number[] }[];
  texts: { text: string; embedding: number[] }[];
  pictures: { rgb: string; side: number; embedding: number[] }[];
}
const golden = JSON.parse(await readFile(new URL('golden/mini.json', import.meta.url), 'utf8')) as Golden;

let model: DualEncoder;
beforeAll(async () => {
  model = await loadModel('mini', { cacheFolder: '/nowhere', hubUrl: 'http://127.0.0.1:1', threads: 1 });
});
afterAll(() => model.close());

test("mini's token ids are those of its training, in every language", async () => {
  const tokenize = await readTokenizer(join(packagedModelFolder('mini')!, 'tokenizer.json'), (await findModel('mini')).text);
  expect(golden.tokens.length).toBeGreaterThan(100);
  for (const { text, ids } of golden.tokens) expect(tokenize(text), text).toEqual(ids);
});

test("mini's vectors of texts are PyTorch's", async () => {
  const ours = await model.encodeTexts(golden.texts.map(({ text }) => text));
  for (const [i, { text, embedding }] of golden.texts.entries()) expect(difference(ours[i]!, embedding), text).toBeLessThan(golden.tolerance);
});

test("mini's vectors of pictures are PyTorch's", async () => {
  const pngs = golden.pictures.map(({ rgb, side }) =>
    sharp(Buffer.from(rgb, 'base64'), { raw: { width: side, height: side, channels: 3 } })
      .png()
      .toBuffer(),
  );
  const ours = await model.encodeImages(await Promise.all(pngs));
  for (const [i, { embedding }] of golden.pictures.entries()) expect(difference(ours[i]!, embedding)).toBeLessThan(golden.tolerance);
});

function difference(ours: Float32Array | Error, theirs: readonly number[]): number {
  if (ours instanceof Error) throw ours;
  expect(ours).toHaveLength(theirs.length);
  return Math.max(...theirs.map((value, i) => Math.abs(value - ours[i]!)));
}
