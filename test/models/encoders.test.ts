import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunError, UsageError } from '../../src/contracts/errors.ts';
import { fileChecksum } from '../../src/models/files/file-checksum.ts';
import { findModel } from '../../src/models/find-model.ts';
import { imageEncoder } from '../../src/models/image-encoder.ts';
import { type DualEncoder, loadModel, modelChecksums } from '../../src/models/load-model.ts';
import type { ImagePreprocessing, TextTower } from '../../src/models/model-entry.ts';
import { openOnnxSession } from '../../src/models/sessions/onnx-session.ts';
import { packagedModelFolder } from '../../src/models/registry.ts';
import { textEncoder } from '../../src/models/text-encoder.ts';
import { cosine, normalise } from '../../src/models/vectors.ts';
import { requirePython } from '../python.ts';
import { emojiPicture } from '../stages/emoji-samples.ts';

const settings = { cacheFolder: '/nowhere', hubUrl: 'http://127.0.0.1:1', threads: 1 };
const mini = packagedModelFolder('mini')!;
const fixture = (name: string): string => new URL(`fixtures/${name}`, import.meta.url).pathname;
const equal = (a: Float32Array | Error, b: Float32Array | Error): boolean =>
  Buffer.compare(Buffer.from((a as Float32Array).buffer), Buffer.from((b as Float32Array).buffer)) === 0;

let folder: string;
let model: DualEncoder;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'models-'));
  model = await loadModel('mini', settings);
});
afterAll(async () => {
  await model.close();
  await rm(folder, { recursive: true, force: true });
});

describe('mini', () => {
  const names = ['dog-face', 'cat-face', 'pizza', 'red-heart', 'sunflower', 'red-apple', 'rainbow', 'bicycle'];
  const captions = ['dog face', 'cat face', 'pizza', 'red heart', 'sunflower', 'apple', 'rainbow', 'bicycle'];

  test('pictures lie nearest to their own captions', async () => {
    const images = (await model.encodeImages(await Promise.all(names.map((name) => emojiPicture(name))))) as Float32Array[];
    const texts = (await model.encodeTexts(captions)) as Float32Array[];
    const nearest = images.map((image) => texts.map((text) => cosine(image, text)).reduce((best, value, i, all) => (value > all[best]! ? i : best), 0));
    expect(nearest.filter((found, i) => found === i).length).toBeGreaterThanOrEqual(6);
    for (const vector of [...images, ...texts]) expect(cosine(vector, vector)).toBeCloseTo(1, 5);
  });

  test('a vector does not depend on its batch, nor on the threads', async () => {
    // All different: the model keeps what it has encoded.
    const pictures = await Promise.all(Array.from({ length: 37 }, (_, i) => emojiPicture(names[i % names.length]!, 80 + 3 * i)));
    const many = await model.encodeImages(pictures);
    const texts = Array.from({ length: 300 }, (_, i) =>
      captions
        .slice(0, 1 + (i % captions.length))
        .join(' ')
        .repeat(1 + (i % 3)),
    );
    const manyTexts = await model.encodeTexts(texts);
    const [single, threaded] = [await loadModel('mini', settings), await loadModel('mini', { ...settings, threads: 2 })];
    for (const i of [0, 1, 7, 15, 16, 36]) expect(equal((await single.encodeImages([pictures[i]!]))[0]!, many[i]!), `picture ${i}`).toBe(true);
    for (const i of [0, 1, 7, 100, 299]) expect(equal((await single.encodeTexts([texts[i]!]))[0]!, manyTexts[i]!), `text ${i}`).toBe(true);
    for (const size of [5, 16, 16]) {
      const start = size === 5 ? 0 : 5;
      const some = await threaded.encodeImages(pictures.slice(start, start + size));
      for (const [i, vector] of some.entries()) expect(equal(vector, many[start + i]!)).toBe(true);
    }
    expect((await threaded.encodeTexts(texts.slice(3, 50))).every((vector, i) => equal(vector, manyTexts[3 + i]!))).toBe(true);
    await single.close();
    await threaded.close();
  });

  test('what is no picture gives an error in its place', async () => {
    const good = await emojiPicture('pizza');
    const results = await model.encodeImages([Buffer.from('no picture'), good, good.subarray(0, good.length / 2)]);
    expect(results.map((result) => result instanceof Error)).toEqual([true, false, true]);
    expect(await model.encodeImages([])).toEqual([]);
    expect(await model.encodeTexts([])).toEqual([]);
    expect((await model.encodeTexts(['', '\uD800 lone', '😀'])).every((result) => !(result instanceof Error))).toBe(true);
  });

  test('onnxruntime in Python gives the same vectors of the same pixels and ids', async (context) => {
    const python = requirePython(context, 'onnxruntime', 'numpy', 'PIL');
    const png = join(folder, 'input.png');
    await sharp({ create: { width: 64, height: 64, channels: 3, background: { r: 10, g: 200, b: 90 } } })
      .png()
      .toFile(png);
    const theirs = JSON.parse(
      python(
        `import sys, json, numpy as np, onnxruntime as ort
from PIL import Image
x = (np.asarray(Image.open(sys.argv[2]).convert("RGB"), dtype=np.float32).transpose(2, 0, 1)[None] / 255 - 0.5) / 0.25
v = ort.InferenceSession(sys.argv[1] + "/vision_model.onnx", providers=["CPUExecutionProvider"]).run(["image_embeds"], {"pixel_values": x})[0][0]
print(json.dumps((v / np.linalg.norm(v)).tolist()))`,
        [mini, png],
      ),
    ) as number[];
    const [ours] = (await model.encodeImages([await readFile(png)])) as [Float32Array];
    for (const [i, value] of theirs.entries()) expect(ours[i]).toBeCloseTo(value, 4);
  });
});

describe('a model folder', () => {
  test('works wherever an id does, with files beside or in onnx/', async () => {
    const copy = join(folder, 'my-model');
    await cp(mini, copy, { recursive: true });
    const entry = await findModel(copy);
    expect(entry).toMatchObject({ id: 'my-model', dimensions: 256, thresholds: { en: expect.any(Number) as number } });
    expect(entry.image.preprocessing).toEqual({
      size: 64,
      fit: 'squash',
      resize: 'libvips',
      interpolation: 'bicubic',
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    });
    const other = await loadModel(copy, settings);
    expect(equal((await other.encodeTexts(['dog']))[0]!, (await model.encodeTexts(['dog']))[0]!)).toBe(true);
    await other.close();
    expect(await modelChecksums(copy, settings)).toMatchObject({ 'my-model/text_model.onnx': expect.stringMatching(/^[0-9a-f]{64}$/) as string });
  });

  test("CLIP's own preprocessing and positions are read from the hub's files", async () => {
    const clip = join(folder, 'clip');
    await cp(mini, clip, { recursive: true });
    await writeFile(
      join(clip, 'preprocessor_config.json'),
      JSON.stringify({
        crop_size: { height: 224, width: 224 },
        do_center_crop: true,
        image_mean: [0.48, 0.46, 0.41],
        image_std: [0.27, 0.26, 0.28],
        resample: 3,
        size: { shortest_edge: 224 },
      }),
    );
    await writeFile(
      join(clip, 'config.json'),
      JSON.stringify({ projection_dim: 512, text_config: { max_position_embeddings: 77 }, pairmill: { tokenization: 'open-clip', headsFor: 'ViT-B/32' } }),
    );
    expect(await findModel(clip)).toMatchObject({
      dimensions: 512,
      headsFor: 'ViT-B/32',
      thresholds: { en: 0.28, multi: 0.26 },
      text: { tokenization: 'open-clip', maxTokens: 77 },
      image: { preprocessing: { fit: 'crop', size: 224 } },
    });
  });

  test('a damaged file is named, with what to do; so are a missing one and an unknown id', async () => {
    const broken = join(folder, 'broken');
    await cp(mini, broken, { recursive: true });
    const bytes = await readFile(join(broken, 'text_model.onnx'));
    bytes[1000]! ^= 1;
    await writeFile(join(broken, 'text_model.onnx'), bytes);
    const failure = await loadModel(broken, settings).catch((error: unknown) => error as Error);
    expect(failure).toBeInstanceOf(RunError);
    expect((failure as Error).message).toMatch(/broken\/text_model\.onnx is damaged: it has [0-9a-f]{64} where [0-9a-f]{64} is expected\. Restore the file/);
    await rm(join(broken, 'checksums.json'));
    await writeFile(join(broken, 'text_model.onnx'), 'no model');
    const second = await loadModel(broken, settings);
    await expect(second.encodeTexts(['x'])).rejects.toThrow(/text_model\.onnx can't be loaded.*give another --model/s);
    await rm(join(broken, 'vision_model.onnx'));
    await expect(loadModel(broken, settings)).rejects.toThrow(/has neither vision_model\.onnx nor onnx\/vision_model\.onnx/);
    const unknown = await loadModel('clip-vit-b32', settings).catch((error: unknown) => error as Error);
    expect(unknown).toBeInstanceOf(UsageError);
    await expect(loadModel('openai/clip-vit-base-patch32', settings)).rejects.toThrow(
      /A repository of the hub is written hf:\/\/openai\/clip-vit-base-patch32\./,
    );
    expect((unknown as Error).message).toMatch(
      /no model clip-vit-b32: it is neither a folder, nor hf:\/\/OWNER\/NAME on the hub, nor one of mini, clip-vit-b-32/,
    );
  });
});

describe('other exports', () => {
  const tower = { tokenization: 'hub', maxTokens: 16, padId: 0, pooling: 'none' } as TextTower;
  const tokenize = (text: string): number[] => text.split('').map(Number);

  test('a vector a token is averaged without padding and projected', async () => {
    const session = await openOnnxSession(fixture('pooled-text.onnx'), 1);
    const weight = { shape: [4, 6], data: Float32Array.from({ length: 24 }, (_, i) => (i % 5) - 1) };
    const encode = textEncoder(session, tokenize, { ...tower, pooling: 'mean' }, 4, { weight });
    const table = Array.from({ length: 16 }, (_, row) => Array.from({ length: 6 }, (_, i) => ((row * 6 + i) % 7) - 3));
    const expected = (tokens: number[]): number[] => {
      const mean = Array.from({ length: 6 }, (_, i) => tokens.reduce((sum, token) => sum + table[token]![i]!, 0) / tokens.length);
      return [...normalise(Float32Array.from({ length: 4 }, (_, row) => mean.reduce((sum, value, i) => sum + value * weight.data[row * 6 + i]!, 0)))];
    };
    const results = (await encode(['123', '9', '4567812345'])) as Float32Array[];
    for (const [i, tokens] of [[1, 2, 3], [9], [4, 5, 6, 7, 8, 1, 2, 3, 4, 5]].entries()) {
      for (const [j, value] of expected(tokens).entries()) expect(results[i]![j]).toBeCloseTo(value, 6);
    }
    await session.close();
  });

  test('one text a run, of fixed length, int32, with weights in a file beside', async () => {
    const session = await openOnnxSession(fixture('fixed-text.onnx'), 1);
    const results = (await textEncoder(session, tokenize, tower, 4)(['12', '345', '1'])) as Float32Array[];
    expect(results.map((vector) => vector.length)).toEqual([4, 4, 4]);
    expect(equal(results[2]!, (await textEncoder(session, tokenize, tower, 4)(['1']))[0]!)).toBe(true);
    await session.close();
    expect((await fileChecksum(fixture('fixed-text.onnx'))).externalData).toEqual(['fixed-text.onnx_data']);
    await copyFile(fixture('fixed-text.onnx'), join(folder, 'alone.onnx'));
    await expect(openOnnxSession(join(folder, 'alone.onnx'), 1)).rejects.toThrow(RunError);
  });

  test('one picture a run gives what many give', async () => {
    const preprocessing: ImagePreprocessing = { size: 8, fit: 'crop', interpolation: 'bicubic', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
    const pictures = await Promise.all(['pizza', 'banana', 'red-heart'].map((name) => emojiPicture(name, 50)));
    const [fixed, free] = [await openOnnxSession(fixture('fixed-image.onnx'), 1), await openOnnxSession(fixture('free-image.onnx'), 1)];
    const one = await imageEncoder(fixed, preprocessing, 4)(pictures);
    const many = await imageEncoder(free, preprocessing, 4)(pictures);
    for (const [i, vector] of (one as Float32Array[]).entries())
      for (const [j, value] of vector.entries()) expect((many[i] as Float32Array)[j]).toBeCloseTo(value, 6);
    await expect(imageEncoder(free, preprocessing, 5)(pictures)).rejects.toThrow(/float32 \[3,4\] where float32 \[3,5\] is expected/);
    await Promise.all([fixed.close(), free.close()]);
  });
});
