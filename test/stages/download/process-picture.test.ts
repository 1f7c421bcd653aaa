import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { decodeOnce } from '../../../src/stages/download/decode-once.ts';
import { hashTarget } from '../../../src/stages/download/hash-picture.ts';
import { downloadOptions } from '../../../src/stages/download/options.ts';
import { PictureError } from '../../../src/stages/download/picture-error.ts';
import { type Picture, processPicture } from '../../../src/stages/download/process-picture.ts';
import { resizeGeometry } from '../../../src/stages/download/resize-geometry.ts';

const options = (given: object = {}) => downloadOptions.parse({ minBytes: 0, ...given });

/** Left half red, right half blue, and noise so that it is no tiny file. */
async function twoColours(width: number, height: number): Promise<Sharp> {
  const half = await sharp({ create: { width: width / 2, height, channels: 3, background: '#0000ff' } })
    .png()
    .toBuffer();
  return sharp(
    await sharp({ create: { width, height, channels: 3, background: '#ff0000' } })
      .composite([{ input: half, left: width / 2, top: 0 }])
      .png()
      .toBuffer(),
  );
}

async function pixel(bytes: Uint8Array, left: number, top: number): Promise<number[]> {
  return [...(await sharp(bytes).extract({ left, top, width: 1, height: 1 }).removeAlpha().toColourspace('srgb').raw().toBuffer())];
}

async function reasonOf(promise: Promise<Picture>): Promise<string> {
  return promise.then(
    () => 'packed',
    (error: unknown) =>
      error instanceof PictureError ? `${error.reason} ${error.value}${error.threshold === null ? '' : ` of ${error.threshold}`}` : String(error),
  );
}

const near = (colour: number[], wanted: number[]): boolean => colour.every((value, i) => Math.abs(value - wanted[i]!) < 12);

describe('pictures', () => {
  test('border: fitted, white around, JPEG of quality 95', async () => {
    const { bytes, ...rest } = await processPicture(await (await twoColours(400, 200)).png().toBuffer(), options());
    expect(rest).toEqual({ width: 256, height: 256, originalWidth: 400, originalHeight: 200, exif: '{}', phash: expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'jpeg', width: 256, height: 256 });
    expect(await pixel(bytes, 128, 10)).toEqual([255, 255, 255]);
    expect(near(await pixel(bytes, 60, 128), [255, 0, 0])).toBe(true);
    expect(near(await pixel(bytes, 200, 128), [0, 0, 255])).toBe(true);
  });

  test.each([
    ['no', 400, 200],
    ['keep_ratio', 512, 256],
    ['keep_ratio_largest', 256, 128],
    ['center_crop', 256, 256],
  ])('%s: %i x %i', async (resizeMode, width, height) => {
    const { bytes, ...rest } = await processPicture(await (await twoColours(400, 200)).webp().toBuffer(), options({ resizeMode }));
    expect(rest).toMatchObject({ width, height });
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'jpeg', width, height });
    expect(near(await pixel(bytes, 2, height / 2), [255, 0, 0])).toBe(true);
    expect(near(await pixel(bytes, width - 3, height / 2), [0, 0, 255])).toBe(true);
  });

  test('alpha becomes white, and half of it half white', async () => {
    const clear = await sharp({ create: { width: 64, height: 64, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0.5 } } })
      .png()
      .toBuffer();
    const { bytes } = await processPicture(clear, options({ resizeMode: 'no' }));
    expect(near(await pixel(bytes, 10, 10), [127, 127, 127])).toBe(true);
    expect((await sharp(bytes).metadata()).hasAlpha).toBe(false);
  });

  test.each(['jpeg', 'png', 'webp'] as const)('%s is rotated by its EXIF, and the sizes are those after it', async (format) => {
    // Orientation 6: shown rotated by 90 degrees clockwise, so red is above blue.
    const body = await (await twoColours(400, 200)).withMetadata({ orientation: 6 }).toFormat(format).toBuffer();
    const { bytes, exif, ...rest } = await processPicture(body, options({ resizeMode: 'keep_ratio_largest' }));
    expect(rest).toMatchObject({ width: 128, height: 256, originalWidth: 200, originalHeight: 400 });
    expect(near(await pixel(bytes, 64, 5), [255, 0, 0])).toBe(true);
    expect(near(await pixel(bytes, 64, 250), [0, 0, 255])).toBe(true);
    expect((await sharp(bytes).metadata()).orientation).toBeUndefined();
    expect(JSON.parse(exif!)).toMatchObject({ 'Image Orientation': 'Rotated 90 CW' });
  });

  test('grey, 16 bit, CMYK and one of several frames', async () => {
    const grey = await (await twoColours(300, 300)).greyscale().jpeg().toBuffer();
    const deep = await (await twoColours(300, 300)).toColourspace('rgb16').png().toBuffer();
    const cmyk = await (await twoColours(300, 300)).toColourspace('cmyk').jpeg().toBuffer();
    const frames = await sharp([await (await twoColours(300, 300)).png().toBuffer(), await (await twoColours(300, 300)).negate().png().toBuffer()], {
      join: { animated: true },
    })
      .webp()
      .toBuffer();
    for (const body of [grey, deep, cmyk, frames]) {
      const { bytes } = await processPicture(body, options());
      expect(await sharp(bytes).metadata()).toMatchObject({ width: 256, height: 256, depth: 'uchar' });
    }
    expect((await sharp((await processPicture(cmyk, options())).bytes).metadata()).space).toBe('srgb');
    expect(near(await pixel((await processPicture(frames, options())).bytes, 50, 128), [255, 0, 0])).toBe(true);
  });

  test.each([
    ['png', 300, 400, 'keep_ratio', true],
    ['png', 300, 200, 'border', true],
    ['webp', 300, 400, 'keep_ratio', true],
    ['webp', 401, 300, 'keep_ratio', true],
    // Half a pixel: rounding decides.
    ['webp', 512, 601, 'keep_ratio', false],
    ['webp', 400, 300, 'border', false],
    ['webp', 200, 100, 'no', true],
  ] as const)('%s of %i x %i, %s: packed and hashed from one decoding (%s) as from two', async (format, width, height, resizeMode, isShared) => {
    const noise = sharp({ create: { width, height, channels: 4, background: '#88888880', noise: { type: 'gaussian', mean: 128, sigma: 60 } } });
    const body = await noise.toFormat(format).toBuffer();
    const { scaled } = resizeGeometry(width, height, options({ resizeMode }));
    const decoded = await decodeOnce(() => sharp(body), format, { width, height }, [
      scaled,
      hashTarget({ width, height, orientation: 1, plain: true }, format),
    ]);
    expect(decoded !== undefined).toBe(isShared);
    const { bytes, phash } = await processPicture(body, options({ resizeMode }));
    // Without a hash, and where a PNG is packed, nothing is shared.
    expect(Buffer.from(bytes).equals((await processPicture(body, options({ resizeMode, phash: false }))).bytes)).toBe(true);
    expect(phash).toBe((await processPicture(body, options({ resizeMode, encodeFormat: 'png', encodeQuality: 0 }))).phash);
  });

  test('limits, each by its name', async () => {
    const body = await (await twoColours(400, 200)).png().toBuffer();
    expect(await reasonOf(processPicture(body, options({ minBytes: 100_000 })))).toBe(`too-few-bytes ${body.length} of 100000`);
    expect(await reasonOf(processPicture(body, options({ maxPixels: 79_999 })))).toBe('too-many-pixels 80000 of 79999');
    expect(await reasonOf(processPicture(body, options({ minImageSize: 201 })))).toBe('image-too-small 200 of 201');
    expect(await reasonOf(processPicture(body, options({ maxImageArea: 79_999 })))).toBe('image-too-large 80000 of 79999');
    expect(await reasonOf(processPicture(body, options({ maxAspectRatio: 1.9 })))).toBe('aspect-ratio 2 of 1.9');
    expect(await reasonOf(processPicture(body, options({ maxPixels: 80_000, minImageSize: 200, maxImageArea: 80_000, maxAspectRatio: 2 })))).toBe('packed');
  });

  test('what is no JPEG, PNG or WebP, and what is broken', async () => {
    const gif = await (await twoColours(40, 20)).gif().toBuffer();
    expect(await reasonOf(processPicture(gif, options()))).toBe('not-an-image GIF');
    expect(await reasonOf(processPicture(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), options()))).toBe('not-an-image SVG');
    expect(await reasonOf(processPicture(Buffer.alloc(0), options()))).toBe('not-an-image unknown');
    for (const format of ['jpeg', 'png', 'webp'] as const) {
      const whole = await sharp({ create: { width: 300, height: 300, channels: 3, background: '#888888', noise: { type: 'gaussian', mean: 128, sigma: 60 } } })
        .toFormat(format)
        .toBuffer();
      for (const share of [0.01, 0.3, 0.6, 0.95]) {
        const reason = await reasonOf(processPicture(whole.subarray(0, Math.ceil(whole.length * share)), options()));
        expect(reason, `${format} cut at ${share}`).toMatch(/^decode-failed /);
      }
    }
  });

  test('the same body gives the same bytes, however many at a time', async () => {
    const body = await (await twoColours(900, 700)).webp().toBuffer();
    const all = await Promise.all(Array.from({ length: 8 }, async () => processPicture(body, options())));
    for (const { bytes } of all) expect(Buffer.from(bytes).equals(all[0]!.bytes)).toBe(true);
  });

  test('--skip-reencode keeps bytes that need nothing, unless they are broken', async () => {
    const jpeg = await sharp({ create: { width: 256, height: 256, channels: 3, background: '#888888', noise: { type: 'gaussian', mean: 128, sigma: 60 } } })
      .jpeg()
      .toBuffer();
    expect((await processPicture(jpeg, options({ skipReencode: true }))).bytes).toBe(jpeg);
    expect((await processPicture(jpeg, options({ skipReencode: true, imageSize: 200 }))).bytes).not.toBe(jpeg);
    expect((await processPicture(jpeg, options({ skipReencode: true, encodeFormat: 'webp' }))).bytes).not.toBe(jpeg);
    expect(await reasonOf(processPicture(jpeg.subarray(0, jpeg.length - 3000), options({ skipReencode: true })))).toMatch(/^decode-failed/);
    const clear = await sharp({ create: { width: 256, height: 256, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0.5 } } })
      .png()
      .toBuffer();
    expect((await processPicture(clear, options({ skipReencode: true, encodeFormat: 'png', encodeQuality: 6 }))).bytes).not.toBe(clear);
  });

  test('--disable-all-reencoding keeps the bytes and says the stored size', async () => {
    const body = await (await twoColours(400, 200)).withMetadata({ orientation: 6 }).webp().toBuffer();
    expect(await processPicture(body, options({ disableAllReencoding: true }))).toMatchObject({
      bytes: body,
      width: 400,
      height: 200,
      originalWidth: 400,
      originalHeight: 200,
    });
  });

  test.each(['png', 'webp'])('encodes %s', async (encodeFormat) => {
    const { bytes } = await processPicture(await (await twoColours(400, 200)).jpeg().toBuffer(), options({ encodeFormat, encodeQuality: 9 }));
    expect((await sharp(bytes).metadata()).format).toBe(encodeFormat);
  });
});
