import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../src/contracts/package-root.ts';
import { readClassifier } from '../../src/models/classifiers/classifier-config.ts';
import { findClassifier } from '../../src/models/classifiers/find-classifier.ts';
import { openPictureClassifier, openTextClassifier } from '../../src/models/classifiers/open-classifier.ts';
import { findClassifiers } from '../../src/models/classifiers/shared-classifiers.ts';
import { emojiPicture } from '../stages/emoji-samples.ts';

const settings = { cacheFolder: '/nowhere', hubUrl: 'http://127.0.0.1:1', threads: 1 };
const golden = new URL('../fixtures/clip-golden/', import.meta.url).pathname;

const fixture = (name: string): string => new URL(`fixtures/${name}`, import.meta.url).pathname;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'classifiers-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A folder with these configurations and an ONNX file that is not opened. */
async function modelFolder(name: string, config: object, preprocessor?: object): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'config.json'), JSON.stringify(config));
  if (preprocessor) await writeFile(join(path, 'preprocessor_config.json'), JSON.stringify(preprocessor));
  await writeFile(join(path, 'model.onnx'), '');
  return path;
}

const labels = { '0': 'watermark', '1': 'clear view' };
const vit = { size: { height: 224, width: 224 }, resample: 2, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };

describe('nsfw_pixels', () => {
  test('scores are those of nsfwjs on TensorFlow.js (recipes/nsfw-pixels/parity.ts), alone and in a batch', async () => {
    const expected = JSON.parse(await readFile(new URL('golden/nsfw-pixels.json', import.meta.url), 'utf8')) as Record<string, number[]>;
    const found = await findClassifier('nsfw_pixels', 'pictures', settings);
    expect(found.classifier.columns.map(({ name }) => name)).toEqual(['drawing', 'hentai', 'neutral', 'porn', 'sexy'].map((label) => `nsfw_pixels_${label}`));
    const pictures = await Promise.all(Object.keys(expected).map((name) => readFile(join(golden, name))));
    const model = await openPictureClassifier(found, settings);
    const scores = (await model.encode([...pictures, await emojiPicture('pizza', 90), Buffer.from('no picture')])) as Float32Array[];
    await model.close();
    for (const [i, reference] of Object.values(expected).entries())
      for (const [label, score] of reference.entries()) expect(Math.abs(scores[i]![label]! - score)).toBeLessThan(1e-4);
    expect(scores[5]).toBeInstanceOf(Error);
    const alone = await openPictureClassifier(found, settings);
    expect((await alone.encode([pictures[2]!]))[0]).toEqual(scores[2]);
    expect((await alone.encode([pictures[0]!, pictures[1]!, pictures[3]!]))[2]).toEqual(scores[3]);
    await alone.close();
  });

  test('a damaged file is named', async () => {
    const damaged = join(folder, 'damaged');
    await cp(join(packageRoot(), 'models/nsfw-pixels'), damaged, { recursive: true });
    await writeFile(join(damaged, 'config.json'), JSON.stringify({ id2label: labels }));
    await expect(findClassifier(damaged, 'pictures', settings)).rejects.toThrow(/damaged\/config\.json is damaged: it has .* where .* is expected/);
  });
});

describe('models of the true architecture with random weights', () => {
  interface Expected {
    texts: string[];
    pictures: string[];
    scores: number[][];
  }
  const expectedOf = async (name: string): Promise<Expected> => JSON.parse(await readFile(join(fixture(name), 'expected.json'), 'utf8')) as Expected;

  test("LAION's watermark model (EfficientNet-B3, narrow): torch's scores on Pillow's pixels (recipes/classifiers/watermark.py)", async () => {
    const expected = await expectedOf('tiny-watermark');
    const pictures = await Promise.all(expected.pictures.map((name) => readFile(join(golden, name))));
    const [model, alone] = await Promise.all(
      [1, 2].map(async () => openPictureClassifier(await findClassifier(fixture('tiny-watermark'), 'pictures', settings), settings)),
    );
    const scores = (await model!.encode(pictures)) as Float32Array[];
    for (const [i, [score]] of expected.scores.entries()) expect(Math.abs(scores[i]![0]! - score!)).toBeLessThan(1e-5);
    for (const [i, picture] of pictures.entries()) expect((await alone!.encode([picture]))[0]).toEqual(scores[i]);
    await Promise.all([model!.close(), alone!.close()]);
  });

  test.each([
    { name: 'tiny-bert', columns: ['toxic', 'severe_toxic', 'obscene', 'threat', 'insult', 'identity_hate'] },
    { name: 'tiny-xlm-roberta', columns: ['neutral', 'toxic'] },
  ])("$name: transformers' scores and tokens (recipes/classifiers/text.py)", async ({ name, columns }) => {
    const expected = await expectedOf(name);
    const found = await findClassifier(fixture(name), 'texts', settings);
    expect(found.classifier.columns.map((column) => column.name)).toEqual(columns.map((label) => `${name.replaceAll('-', '_')}_${label}`));
    const model = await openTextClassifier(found, settings);
    const scores = (await model.encode(expected.texts)) as Float32Array[];
    for (const [i, row] of expected.scores.entries())
      for (const [j, score] of row.entries()) expect(Math.abs(scores[i]![j]! - score), expected.texts[i]).toBeLessThan(1e-5);
    for (const i of [0, 7, 40, 81]) expect((await model.encode([expected.texts[i]!]))[0]).toEqual(scores[i]);
    await model.close();
  });
});

describe('what the files of a classifier say', () => {
  const read = (path: string) => readClassifier(path, 'pictures', { name: 'My Model-2', source: { folder: path }, file: 'model.onnx' });
  const preprocessingOf = async (preprocessor: object): Promise<unknown> => {
    const { input } = await read(await modelFolder('preprocessing', { id2label: labels }, preprocessor));
    return input.kind === 'pictures' ? input.preprocessing : undefined;
  };

  test('columns are named by model and label; softmax, or sigmoid where labels stand alone', async () => {
    const plain = await read(await modelFolder('plain', { id2label: labels }, vit));
    expect(plain).toMatchObject({
      columns: [
        { name: 'my_model_2_watermark', label: 0 },
        { name: 'my_model_2_clear_view', label: 1 },
      ],
      activation: 'softmax',
    });
    const multi = await read(await modelFolder('multi', { id2label: labels, problem_type: 'multi_label_classification' }, vit));
    expect(multi.activation).toBe('sigmoid');
    const named = await read(await modelFolder('named', { id2label: labels, pairmill: { columns: { 'clear view': 'clear' } } }, vit));
    expect(named.columns).toEqual([{ name: 'clear', label: 1 }]);
    await expect(read(await modelFolder('unknown', { id2label: labels, pairmill: { columns: { other: 'x' } } }, vit))).rejects.toThrow(
      /names the label other, and id2label has watermark, clear view/,
    );
  });

  test("preprocessing of ViT, ConvNeXT and EfficientNet is transformers'", async () => {
    expect(await preprocessingOf(vit)).toMatchObject({ size: 224, fit: 'squash', interpolation: 'bilinear', centre: 'down', mean: [0.5, 0.5, 0.5] });
    expect(
      await preprocessingOf({ ...vit, image_processor_type: 'ConvNextImageProcessor', size: { shortest_edge: 224 }, crop_pct: 0.875, resample: 3 }),
    ).toMatchObject({
      size: 224,
      fit: 'crop',
      resizeTo: 256,
      interpolation: 'bicubic',
    });
    expect(
      await preprocessingOf({
        ...vit,
        image_processor_type: 'EfficientNetImageProcessor',
        size: { height: 346, width: 346 },
        crop_size: { height: 289, width: 289 },
        do_center_crop: true,
        resample: 0,
      }),
    ).toMatchObject({ size: 289, fit: 'squash', resizeTo: 346, interpolation: 'nearest', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
    expect(await preprocessingOf({ ...vit, do_normalize: false, rescale_factor: 1 / 127.5, rescale_offset: true })).toMatchObject({
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    });
    await expect(preprocessingOf({ ...vit, size: { height: 224, width: 200 } })).rejects.toThrow(/not a square/);
    await expect(preprocessingOf({ ...vit, resample: 5 })).rejects.toThrow(/only 0, 1, 2 and 3/);
  });

  test("a column of LAION's is refused to a model that does not say that it is LAION's, and a column that is taken", async () => {
    const claims = (name: string, pairmill: object) =>
      modelFolder(name, { id2label: labels, pairmill: { columns: { watermark: 'pwatermark' }, ...pairmill } }, vit);
    const other = await claims('other', {});
    await expect(findClassifiers([other], 'pictures', settings, new Set())).rejects.toThrow(
      /column pwatermark, which holds the value of LAION's own model or nothing/,
    );
    const own = await claims('own', { source: 'LAION-AI/LAION-5B-WatermarkDetection' });
    expect(await findClassifiers([own], 'pictures', settings, new Set())).toHaveLength(1);
    await expect(findClassifiers([own, own], 'pictures', settings, new Set())).rejects.toThrow(
      /column pwatermark, which is taken. Leave one of them out of --image-models/,
    );
  });

  test('what is no classifier, and what the hub does not give', async () => {
    await expect(findClassifier('nothing', 'pictures', settings)).rejects.toThrow(
      /neither one of the package \(nsfw_pixels\), nor a folder with a config\.json, nor hf:/,
    );
    await expect(findClassifier('nsfw_pixels', 'texts', settings)).rejects.toThrow(/nsfw_pixels classifies pictures and not texts\. Give it to --image-models/);
    const hub = createServer((_, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve));
    const hubUrl = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
    const absent = findClassifier('hf://owner/name', 'texts', { ...settings, cacheFolder: folder, hubUrl });
    await expect(absent).rejects.toThrow(/owner\/name\/resolve\/main\/onnx\/model\.onnx -> .*owner\/name\/main\/onnx\/model\.onnx/);
    hub.close();
  });
});
