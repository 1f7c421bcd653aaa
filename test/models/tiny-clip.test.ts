import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readOnnxFile } from '../../src/formats/onnx-file.ts';
import { withEarlyClassToken } from '../../src/models/sessions/class-token.ts';
import { type DualEncoder, loadModel } from '../../src/models/load-model.ts';
import { openHere } from '../../src/models/open-tower.ts';
import { openSharedSession } from '../../src/models/sessions/shared-session.ts';
import { cosine } from '../../src/models/vectors.ts';
import { SharedThreads } from '../../src/runtime/shared-threads.ts';
import { clipTokenizerJson } from './clip-tokenizer-json.ts';

/**
 * A CLIP of the true architecture, vocabulary and picture size, narrow and of random weights, exported as the hub's are
 * (recipes/test-models/random_models.py tiny), against torch's vectors by open_clip's preprocessing and tokenisation.
 */
const fixture = new URL('fixtures/tiny-clip', import.meta.url).pathname;
const golden = new URL('../fixtures/clip-golden', import.meta.url).pathname;

let folder: string;
let expected: { texts: string[]; textVectors: number[][]; pictures: string[]; pictureVectors: number[][] };
let pictures: Uint8Array[];
const load = (precision: 'float32' | 'int8'): Promise<DualEncoder> => loadModel(folder, { cacheFolder: folder, hubUrl: 'http://127.0.0.1:1', precision });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tiny-clip-'));
  await cp(fixture, folder, { recursive: true });
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(await clipTokenizerJson(join(golden, 'bpe_simple_vocab_16e6.txt.gz'))));
  expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as typeof expected;
  pictures = await Promise.all(expected.pictures.map((name) => readFile(join(golden, name))));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function difference(ours: readonly (Float32Array | Error)[], theirs: readonly number[][]): number {
  expect(ours).toHaveLength(theirs.length);
  return Math.max(...theirs.flatMap((vector, i) => vector.map((value, j) => Math.abs(value - (ours[i] as Float32Array)[j]!))));
}

test("vectors of pictures and texts are torch's", async () => {
  const model = await load('float32');
  expect(difference(await model.encodeTexts(expected.texts), expected.textVectors)).toBeLessThan(2e-6);
  expect(difference(await model.encodeImages(pictures), expected.pictureVectors)).toBeLessThan(2e-6);
  await model.close();
});

test('the class token is taken early in the picture tower alone: the bits of the whole graph, through a link too', async () => {
  const path = join(folder, 'onnx/vision_model.onnx');
  for (const other of ['text_model', 'text_model_quantized', 'vision_model_quantized'])
    expect(withEarlyClassToken(join(folder, `onnx/${other}.onnx`)), other).toBeUndefined();
  const linked = join(folder, 'linked/model.onnx');
  await mkdir(join(folder, 'linked'));
  await symlink(path, linked);
  const early = withEarlyClassToken(linked)!;
  const changedPath = join(folder, 'linked/changed.onnx');
  await writeFile(changedPath, early.model);
  // The token is taken of what the attention gives, and of what is added to it.
  expect(readOnnxFile(changedPath).nodes).toHaveLength(readOnnxFile(path).nodes.length + 2);
  const data = Float32Array.from({ length: 3 * 3 * 224 * 224 }, (_, i) => 2 * Math.sin(1.7 * i));
  const whole = await InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const { image_embeds: wanted } = await whole.run({ pixel_values: new Tensor('float32', data, [3, 3, 224, 224]) });
  // Of the changed graph itself, which openHere would do without where it can't be loaded.
  const changed = await InferenceSession.create(early.model, {
    logSeverityLevel: 3,
    extra: { session: { model_external_initializers_file_folder_path: early.folder } },
  });
  const { image_embeds: found } = await changed.run({ pixel_values: new Tensor('float32', data, [3, 3, 224, 224]) });
  expect(found!.data).toEqual(wanted!.data);
  await Promise.all([whole.release(), changed.release()]);
});

test('int8 comes near, and a vector depends on its batch no more than in float32', async () => {
  const model = await load('int8');
  const texts = (await model.encodeTexts(expected.texts)) as Float32Array[];
  const images = (await model.encodeImages(pictures)) as Float32Array[];
  await model.close();
  for (const [i, vector] of expected.textVectors.entries()) expect(cosine(texts[i]!, Float32Array.from(vector))).toBeGreaterThan(0.99);
  for (const [i, vector] of expected.pictureVectors.entries()) expect(cosine(images[i]!, Float32Array.from(vector))).toBeGreaterThan(0.99);
  const other = await load('int8');
  expect((await other.encodeImages([pictures[5]!]))[0]).toEqual(images[5]);
  expect((await other.encodeTexts(expected.texts.slice(7, 9)))[1]).toEqual(texts[8]);
  await other.close();
});

test('a session that workers share gives the same bits; one whose thread ended is opened again', async () => {
  const threads = new SharedThreads();
  const module = new URL('../../src/models/sessions/encoder-thread.ts', import.meta.url).href;
  const settings = {
    path: join(folder, 'onnx/vision_model.onnx'),
    device: 'cpu',
    sessions: 2,
    calibration: { cacheFolder: folder, sides: [3, 224, 224] },
  } as const;
  const connect = (number: number) => Promise.resolve(threads.connect(module, number));
  const [here, first, second] = [await openHere(settings), await openSharedSession(connect, settings), await openSharedSession(connect, settings)];
  const batch = () => ({ pixel_values: { type: 'float32', data: new Float32Array(2 * 3 * 224 * 224).map((_, i) => Math.sin(i)), dims: [2, 3, 224, 224] } });
  const wanted = (await here.run(batch()))['image_embeds'];
  const all = await Promise.all([first, second, first, second].map((session) => session.run(batch())));
  for (const { image_embeds: found } of all) expect(found).toEqual(wanted);
  expect(first.pace.sessions).toBe(2);
  await threads.close();
  await expect(first.run(batch())).resolves.toMatchObject({ image_embeds: wanted });
  await Promise.all([here, first, second].map((session) => session.close()));
  await threads.close();
  expect(await readdir(folder)).not.toContain('calibration');
});

test('a precision that a model lacks, and a device that is not here, are refused with what to do', async () => {
  await rm(join(folder, 'onnx/text_model_quantized.onnx'));
  await expect(load('int8')).rejects.toThrow(/--model-precision int8: the text tower of tiny-clip-\w+ has no int8 file.*Leave the option out/);
  const model = await loadModel(folder, { cacheFolder: folder, hubUrl: '', device: 'cuda' });
  await expect(model.encodeImages(pictures.slice(0, 1))).rejects.toThrow(/--device cuda does not work here: .* needs an NVIDIA GPU.*leave --device out/);
});
