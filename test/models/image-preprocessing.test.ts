import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodePicture, normaliser } from '../../src/models/image-preprocessing.ts';
import type { ImagePreprocessing } from '../../src/models/model-entry.ts';
import { openOnnxSession } from '../../src/models/sessions/onnx-session.ts';
import { registry } from '../../src/models/registry.ts';
import { cosine, normalise } from '../../src/models/vectors.ts';
import { requirePython } from '../python.ts';
import { requireSharedData } from '../local-paths.ts';

const clip = registry[0]!.image.preprocessing;
const squash: ImagePreprocessing = { size: 8, fit: 'squash', interpolation: 'bicubic', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };

const oddPictures = join(import.meta.dirname, 'fixtures/odd-pictures');
const odd = ['photograph.jpg', 'grey.jpg', 'grey-alpha.png', 'cmyk.jpg', 'alpha.png', 'palette.png', 'rotated.jpg', 'one-wide.png', 'one-high.png'];

/** The vector that the picture tower of the fixture gives of pixels. */
async function tinyClip(pixels: Uint8Array): Promise<Float32Array> {
  const data = new Float32Array(pixels.length);
  normaliser(clip)(pixels, data, 0);
  const session = await openOnnxSession(join(import.meta.dirname, 'fixtures/tiny-clip/onnx/vision_model.onnx'), 1);
  const { image_embeds: output } = await session.run({ pixel_values: { type: 'float32', data, dims: [1, 3, 224, 224] } });
  const vector = normalise(Float32Array.from(output!.data as Float32Array));
  await session.close();
  return vector;
}

/** Left half red, right half blue. */
async function halves(width: number, height: number, format: 'png' | 'jpeg' | 'webp' = 'png', orientation?: number): Promise<Buffer> {
  const pixels = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++) pixels[3 * i + (i % width < width / 2 ? 0 : 2)] = 255;
  const picture = sharp(pixels, { raw: { width, height, channels: 3 } })[format]({ quality: 95 });
  return (orientation ? picture.withMetadata({ orientation }) : picture).toBuffer();
}

const at = (pixels: Uint8Array | Float32Array, x: number, y: number, side: number): number[] => [
  ...pixels.subarray(3 * (y * side + x), 3 * (y * side + x) + 3),
];

describe('preprocessing', () => {
  test('squash shows the whole picture, crop its centre', async () => {
    const wide = await halves(64, 16);
    const squashed = await decodePicture(wide, squash);
    expect([at(squashed, 0, 4, 8), at(squashed, 7, 4, 8)]).toEqual([
      [255, 0, 0],
      [0, 0, 255],
    ]);
    const tall = await sharp(await halves(8, 8))
      .extend({ top: 20, bottom: 20, background: '#0f0' })
      .png()
      .toBuffer();
    const cropped = await decodePicture(tall, { ...squash, fit: 'crop' });
    expect([at(cropped, 0, 0, 8), at(cropped, 7, 7, 8)]).toEqual([
      [255, 0, 0],
      [0, 0, 255],
    ]);
  });

  test('EXIF does not rotate', async () => {
    const turned = await decodePicture(await halves(32, 32, 'jpeg', 6), squash);
    expect(at(turned, 0, 4, 8)[0]).toBeGreaterThan(200);
    expect(at(turned, 7, 4, 8)[2]).toBeGreaterThan(200);
  });

  test('mini sees transparency as white; grey, palette and 16-bit pictures become RGB', async () => {
    const clear = await sharp({ create: { width: 16, height: 16, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } })
      .png()
      .toBuffer();
    expect(at(await decodePicture(clear, { ...squash, resize: 'libvips' }), 3, 3, 8)).toEqual([255, 255, 255]);
    const grey = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#808080' } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    const palette = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#808080' } })
      .png({ palette: true })
      .toBuffer();
    const deep = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#808080' } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    for (const picture of [grey, palette, deep])
      for (const fit of ['squash', 'crop'] as const) expect(at(await decodePicture(picture, { ...squash, fit }), 3, 3, 8)).toEqual([128, 128, 128]);
  });

  test('pixels become normalised planes', () => {
    const batch = new Float32Array(24);
    normaliser(squash)(Uint8Array.from([255, 0, 51, 0, 255, 102]), batch, 12);
    expect([...batch.subarray(12, 18)].map((value) => Math.round(value * 1000) / 1000)).toEqual([2, -2, -2, 2, -1.2, -0.4]);
  });

  // Recorded by recipes/test-models/odd_pictures.py.
  test.each(odd)("%s: Hugging Face's CLIPProcessor sees the same pixels, and a CLIP of them the same", async (name) => {
    const ours = Uint8Array.from(await decodePicture(await readFile(join(oddPictures, name)), clip));
    const theirs = await sharp(join(oddPictures, name.replace(/\.\w+$/, '.seen.png')))
      .raw()
      .toBuffer();
    expect(theirs.length).toBe(3 * 224 * 224);
    const difference = ours.reduce((sum, value, i) => sum + Math.abs(value - theirs[i]!), 0) / ours.length;
    expect(difference).toBeLessThan(0.5);
    expect(cosine(await tinyClip(ours), await tinyClip(theirs))).toBeGreaterThan(0.9999);
  });

  test("CLIP's reference (PIL) sees the same pixels, to the byte", async (context) => {
    const python = requirePython(context, 'PIL', 'numpy');
    const pictures = requireSharedData(context, 'clip-golden');
    const names = (await readdir(pictures)).filter((name) => name.endsWith('.jpg'));
    const folder = await mkdtemp(join(tmpdir(), 'preprocess-'));
    for (const name of names) await writeFile(join(folder, `${name}.rgb`), await decodePicture(await readFile(join(pictures, name)), clip));
    // torchvision's Resize and CenterCrop, on PIL.
    const differences = JSON.parse(
      python(
        `import sys, os, json, numpy as np
from PIL import Image
out = {}
for name in sorted(os.listdir(sys.argv[1])):
    im = Image.open(os.path.join(sys.argv[2], name[:-4])).convert("RGB")
    w, h = im.size
    im = im.resize((224, int(224 * h / w)) if w <= h else (int(224 * w / h), 224), Image.BICUBIC)
    left, top = int(round((im.width - 224) / 2)), int(round((im.height - 224) / 2))
    theirs = np.asarray(im.crop((left, top, left + 224, top + 224)), dtype=np.int16).ravel()
    d = np.abs(np.fromfile(os.path.join(sys.argv[1], name), np.uint8).astype(np.int16) - theirs)
    out[name] = int(d.max())
print(json.dumps(out))`,
        [folder, pictures],
      ),
    ) as Record<string, number>;
    expect(Object.keys(differences)).toHaveLength(7);
    for (const [name, most] of Object.entries(differences)) expect(most, name).toBe(0);
    await rm(folder, { recursive: true });
  });
});
