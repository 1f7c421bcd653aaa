import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterEach, describe, expect, test } from 'vitest';
import { HttpError } from '../../src/server/http-error.ts';
import { PictureThread } from '../../src/server/picture-thread.ts';
import { packageRoot } from '../../src/contracts/package-root.ts';
import { loadModel } from '../../src/models/load-model.ts';

const settings = { cacheFolder: join(packageRoot(), 'nowhere'), hubUrl: 'http://127.0.0.1:9', threads: 1 };
const picture = (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: '#c30' } })
    .png()
    .toBuffer();

describe('pictures are encoded in a thread of their own', () => {
  let thread: PictureThread;
  const open = (maxPixels = 1_000_000, model = 'mini'): PictureThread => (thread = new PictureThread({ model, settings, maxPixels }));
  afterEach(() => thread.close());

  test('to the vector that the model gives', async () => {
    const bytes = await picture(80, 60);
    const model = await loadModel('mini', settings);
    const [expected] = await model.encodeImages([bytes]);
    await model.close();
    expect(await open().encode(bytes)).toEqual(expected);
  });

  test('one of 256 million pixels in 31 KB is refused before it is decoded', async () => {
    const bomb = blankPng(16_000, 16_000);
    expect(bomb.byteLength).toBeLessThan(32_000);
    open(89_478_484);
    await thread.encode(await picture(8, 8));
    const before = process.resourceUsage().maxRSS;
    const results = await Promise.all([1, 2, 3, 4].map(() => thread.encode(bomb)));
    for (const result of results)
      expect(result).toMatchObject({ message: 'it has 16000 x 16000 pixels, and 89478484 are the limit (--max-pixels); send a smaller one' });
    // In KB. Decoded it would take 768 MB.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(100_000);
  });

  test('the limit itself is let through', async () => {
    open(4800);
    expect(await thread.encode(await picture(80, 60))).toBeInstanceOf(Float32Array);
    expect(await thread.encode(await picture(80, 61))).toBeInstanceOf(Error);
  });

  test.each([
    ['no picture', Buffer.from('hello'), 'it must be a JPEG, PNG or WebP'],
    ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), 'it must be a JPEG, PNG or WebP'],
  ])('%s', async (_, bytes, message) => {
    expect(await open().encode(bytes)).toEqual(new Error(message));
  });

  test('one that was cut', async () => {
    const whole = await sharp({ create: { width: 300, height: 300, channels: 3, background: '#c30', noise: { type: 'gaussian', mean: 99, sigma: 40 } } })
      .jpeg()
      .toBuffer();
    expect(await open().encode(whole.subarray(0, whole.length / 2))).toMatchObject({ message: expect.stringContaining('could not be decoded') as string });
  });

  test('beyond eight at a time they are refused with 503; afterwards they are taken again', async () => {
    const bytes = await picture(64, 64);
    open();
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => thread.encode(bytes)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(8);
    const [refused] = results.filter((result) => result.status === 'rejected');
    expect(refused!.reason).toBeInstanceOf(HttpError);
    expect(refused!.reason).toMatchObject({ status: 503, message: '8 pictures are being searched by already, which is the limit. Try again in a moment.' });
    expect(await thread.encode(bytes)).toBeInstanceOf(Float32Array);
  });

  test('what is no fault of the picture rejects', async () => {
    await expect(open(1_000_000, join(packageRoot(), 'no-such-model')).encode(await picture(8, 8))).rejects.toThrow(/no-such-model/);
  });

  test('not by the thread that answers', async () => {
    const large = await picture(4000, 4000);
    open(89_478_484);
    await thread.encode(await picture(8, 8));
    const [here, everywhere] = [process.threadCpuUsage(), process.cpuUsage()];
    expect(await thread.encode(large)).toBeInstanceOf(Float32Array);
    const [own, all] = [process.threadCpuUsage(here), process.cpuUsage(everywhere)];
    expect((own.user + own.system) / (all.user + all.system)).toBeLessThan(0.2);
  });
});

/** A white PNG of one bit a pixel. */
function blankPng(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.byteLength);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const pixels = deflateSync(Buffer.alloc(height * (1 + width / 8)), { level: 9 });
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
}
