import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { describeContent, readHeader, sniffFormat } from '../../../src/stages/download/picture-header.ts';

const base = (width: number, height: number) => sharp({ create: { width, height, channels: 4, background: { r: 200, g: 30, b: 90, alpha: 0.5 } } });

describe('picture header', () => {
  test.each([
    ['JPEG', 'jpg', () => base(301, 77).jpeg()],
    ['progressive JPEG', 'jpg', () => base(301, 77).jpeg({ progressive: true })],
    ['JPEG with a colour profile', 'jpg', () => base(301, 77).withIccProfile('p3').jpeg()],
    ['PNG', 'png', () => base(301, 77).png()],
    ['WebP', 'webp', () => base(301, 77).flatten().webp()],
    ['WebP with alpha', 'webp', () => base(301, 77).webp()],
    ['lossless WebP', 'webp', () => base(301, 77).webp({ lossless: true })],
  ] as const)('%s', async (_name, format, make) => {
    const bytes = await make().toBuffer();
    expect(sniffFormat(bytes)).toBe(format);
    expect(readHeader(bytes, format)).toEqual({ width: 301, height: 77, hasExif: false, ...(format !== 'jpg' && { plain: true }) });
  });

  test.each(['jpeg', 'png', 'webp'] as const)('%s with EXIF', async (format) => {
    const bytes = await base(30, 20)
      .withExif({ IFD0: { Copyright: 'Someone' } })
      .toFormat(format)
      .toBuffer();
    expect(readHeader(bytes, sniffFormat(bytes)!)).toMatchObject({ width: 30, height: 20, hasExif: true });
  });

  test('what is no picture of ours has a name', async () => {
    const contents = {
      GIF: await base(3, 3).gif().toBuffer(),
      SVG: Buffer.from('\n<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
      HTML: Buffer.from('<!DOCTYPE html><html>'),
      unknown: Buffer.alloc(100),
    };
    for (const [name, bytes] of Object.entries(contents)) {
      expect(sniffFormat(bytes)).toBeUndefined();
      expect(describeContent(bytes)).toBe(name);
    }
    expect(describeContent(await base(8, 8).avif().toBuffer())).toBe('ISO media (avif)');
    expect(sniffFormat(new Uint8Array())).toBeUndefined();
  });

  test('every cut of a header is survived', async () => {
    for (const format of ['jpeg', 'png', 'webp'] as const) {
      const bytes = await base(30, 20)
        .withExif({ IFD0: { Copyright: 'Someone' } })
        .toFormat(format)
        .toBuffer();
      for (let length = 12; length < bytes.length; length++) {
        const header = readHeader(bytes.subarray(0, length), sniffFormat(bytes)!);
        if (header) expect([header.width, header.height]).toEqual([30, 20]);
      }
    }
  });
});
