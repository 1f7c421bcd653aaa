import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { NpyWriter } from '../../src/formats/npy-writer.ts';
import { readParquet } from '../../src/formats/parquet.ts';
import { writeParquet } from '../../src/formats/parquet-writer.ts';
import { sampleHash } from '../../src/formats/sample-hash.ts';
import { loadModel } from '../../src/models/load-model.ts';
import { index } from '../../src/stages/index/index.ts';
import { tag } from '../../src/stages/tag/tag.ts';
import { emojiPicture } from '../stages/emoji-samples.ts';
import { runOneStage } from '../stages/run-one-stage.ts';
import { commandLine } from './command-line.ts';

let folder: string;
let embeddings: string;
const flags = [
  'germany',
  'france',
  'japan',
  'italy',
  'spain',
  'sweden',
  'norway',
  'poland',
  'brazil',
  'canada',
  'india',
  'peru',
  'chile',
  'kenya',
  'ghana',
  'greece',
];
const others = [
  'pizza',
  'red-apple',
  'dog-face',
  'cat-face',
  'automobile',
  'bicycle',
  'red-heart',
  'rose',
  'tiger',
  'whale',
  'banana',
  'bread',
  'key',
  'hammer',
  'guitar',
  'violin',
];
const pictures = [...flags.map((name) => `flag-${name}`), ...others];
const hashes = pictures.map((name) => sampleHash(`https://emoji.test/${name}`, name));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tag-train-'));
  embeddings = join(folder, 'embeddings');
  for (const each of ['img_emb', 'metadata']) await mkdir(join(embeddings, each), { recursive: true });
  const model = await loadModel('mini', { cacheFolder: folder, hubUrl: '', threads: 1 });
  const vectors = await model.encodeImages(await Promise.all(pictures.map((name) => emojiPicture(name, 64))));
  await model.close();
  const writer = await NpyWriter.open(join(embeddings, 'img_emb/img_emb_00000.npy'), model.dimensions, '<f2');
  for (const vector of vectors) await writer.writeRow(vector as Float32Array);
  await writer.close();
  const rows = pictures.map((name, i) => ({ hash: hashes[i]!, url: `https://emoji.test/${name}`, caption: name }));
  await writeParquet(join(embeddings, 'metadata/metadata_00000.parquet'), z.object({ hash: z.int64(), url: z.string(), caption: z.string() }), rows);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Every second picture is a test row; of the others every fourth one says when to stop. */
async function labelFile(name: string, labelled: readonly number[]): Promise<string> {
  const split = (i: number): string => (i % 2 === 1 ? 'test' : i % 8 === 0 ? 'validation' : 'train');
  const lines = labelled.map((i) => `${hashes[i]},${pictures[i]!.startsWith('flag-') ? 'flag' : 'other'},${split(i)}`);
  await writeFile(join(folder, name), `hash,label,split\n${lines.join('\n')}\n`);
  return join(folder, name);
}

const train = (labels: string, output: string, ...more: string[]) =>
  commandLine([
    'tag',
    'train',
    '--labels',
    labels,
    '--embeddings',
    embeddings,
    '--model',
    'mini',
    '--positive',
    'flag',
    '--output',
    join(folder, output),
    ...more,
  ]);

describe('tag train', () => {
  test('a head that tag reads, with its report; the same bytes again', async () => {
    const labels = await labelFile('labels.csv', [...pictures.keys()]);
    const ended = await train(labels, 'flag.safetensors', '--column', 'is_flag');
    expect(ended).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^12 training rows, 4 for validation, 16 for the test, matched by hash\.\n$/) as string,
    });
    expect(ended.out).toMatch(/right on (9|100)[\d.]* % of 16 test rows \(always saying the more frequent label: 50\.0 %\)/);
    await train(labels, 'again.safetensors', '--column', 'is_flag');
    expect(await readFile(join(folder, 'again.safetensors'))).toEqual(await readFile(join(folder, 'flag.safetensors')));
    const report = JSON.parse(await readFile(join(folder, 'flag.report.json'), 'utf8')) as {
      test: { rows: number; roc_auc: number };
      trained: { rows: number };
    };
    expect(report).toMatchObject({ trained: { rows: 12 }, test: { rows: 16, positives: 8 } });
    expect(report.test.roc_auc).toBeGreaterThan(0.85);
    expect(await readFile(join(folder, 'flag.report.svg'), 'utf8')).toContain('Calibration');

    await runOneStage(tag, join(folder, 'run'), { model: 'mini', heads: [join(folder, 'flag.safetensors')] }, { input: embeddings });
    const tags = await Array.fromAsync(readParquet<{ hash: bigint; is_flag: number }>(join(folder, 'run/tags/00000.parquet')));
    expect(tags.map(({ hash }) => hash)).toEqual(hashes);
    const mean = (rows: typeof tags): number => rows.reduce((sum, { is_flag }) => sum + is_flag, 0) / rows.length;
    expect(mean(tags.slice(0, flags.length)) - mean(tags.slice(flags.length))).toBeGreaterThan(0.4);
  });

  test('grown by neighbours of an index, which are not test rows', async () => {
    await runOneStage(index, join(folder, 'index-run'), {}, { input: embeddings });
    // mini's cosines are small: two flags have 0.3. Test rows are labelled, and so are only the first few of the others.
    const labels = await labelFile('few.csv', [0, 1, 2, 3, 4, 16, 17, 18, 19, 20]);
    const ended = await train(
      labels,
      'grown.safetensors',
      '--column',
      'is_flag',
      '--expand-with-index',
      join(folder, 'index-run/index'),
      '--min-similarity',
      '0.1',
    );
    expect(ended.code).toBe(0);
    const [, neighbours, yes] = /(\d+) neighbours of training rows are added from .*, (\d+) of them with the label yes/.exec(ended.err)!;
    expect(Number(neighbours)).toBeGreaterThan(4);
    expect(Number(neighbours)).toBeLessThanOrEqual(pictures.length - 10);
    expect(Number(yes)).toBeGreaterThan(0);
  });

  test('what can not be used is named', async () => {
    const labels = await labelFile('labels.csv', [...pictures.keys()]);
    expect((await train(labels, 'x.safetensors', '--column', 'punsafe')).err).toMatch(/column punsafe, which holds the value of LAION's own model or nothing/);
    await writeFile(join(folder, 'ids.csv'), 'id,label\n1,1\n');
    expect(await train(join(folder, 'ids.csv'), 'x.safetensors', '--column', 'x')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/has the columns id, label\. It needs label, and one of hash, url/) as string,
    });
    expect((await train(join(folder, 'none.csv'), 'x.safetensors', '--column', 'x')).err).toMatch(/labels .*none\.csv can't be read/);
  });
});
