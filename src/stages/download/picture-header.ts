/** Formats that are taken; everything else is `not-an-image`. */
export type PictureFormat = 'jpg' | 'png' | 'webp';

export interface PictureHeader {
  width: number;
  height: number;
  /** True where EXIF stands before the pixels (or, in WebP, anywhere): orientation and tags are to be looked up. */
  hasExif: boolean;
  /** JPEG's first EXIF block. */
  exif?: Uint8Array | undefined;
  /** True where a PNG or WebP has one frame of 8 bits a channel at most, in sRGB: its pixels are all of it. */
  plain?: boolean | undefined;
}

/** The format by content; the content type that a server states is not asked. */
export function sniffFormat(bytes: Uint8Array): PictureFormat | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpg';
  if (ascii(bytes, 1, 4) === 'PNG' && bytes[0] === 0x89) return 'png';
  if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP') return 'webp';
  return undefined;
}

/** What the content is instead, for rejects/. */
export function describeContent(bytes: Uint8Array): string {
  const start = ascii(bytes, 0, 512).replace(/^\s+/, '').toLowerCase();
  if (start.startsWith('gif8')) return 'GIF';
  if (start.startsWith('<svg') || (start.startsWith('<?xml') && start.includes('<svg'))) return 'SVG';
  if (start.startsWith('<!doctype html') || start.startsWith('<html')) return 'HTML';
  if (ascii(bytes, 4, 8) === 'ftyp') return `ISO media (${ascii(bytes, 8, 12)})`;
  if (start.startsWith('bm')) return 'BMP';
  return 'unknown';
}

/**
 * Size and EXIF from the header alone: a size check before any decoder runs, for a fraction of sharp's metadata().
 * Undefined where the header is not as the specifications have it; a decoder may still read it.
 */
export function readHeader(bytes: Uint8Array, format: PictureFormat): PictureHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (format === 'jpg') return jpegHeader(bytes, view);
    if (format === 'png') return pngHeader(bytes, view);
    return webpHeader(bytes, view);
  } catch (error) {
    // The view ended before the header did.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function jpegHeader(bytes: Uint8Array, view: DataView): PictureHeader | undefined {
  let exif: Uint8Array | undefined;
  for (let at = 2; view.getUint8(at) === 0xff;) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at++;
      continue;
    }
    const length = view.getUint16(at + 2);
    if (length < 2) return undefined;
    // Start of frame 0 to 15, without the Huffman table (C4), the extension (C8) and the arithmetic coding (CC).
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const header = sized(view.getUint16(at + 7), view.getUint16(at + 5), exif !== undefined);
      return header && { ...header, exif };
    }
    if (marker === 0xe1 && ascii(bytes, at + 4, at + 8) === 'Exif') exif ??= bytes.subarray(at + 4, at + 2 + length);
    at += 2 + length;
  }
  return undefined;
}

function pngHeader(bytes: Uint8Array, view: DataView): PictureHeader | undefined {
  if (ascii(bytes, 12, 16) !== 'IHDR') return undefined;
  const seen = new Set<string>();
  for (let at = 8; at + 8 <= bytes.byteLength && !seen.has('IDAT'); at += 12 + view.getUint32(at)) seen.add(ascii(bytes, at + 4, at + 8));
  return sized(view.getUint32(16), view.getUint32(20), seen.has('eXIf'), view.getUint8(24) <= 8 && !seen.has('iCCP') && !seen.has('acTL'));
}

/** Flags of VP8X. */
const WEBP_PROFILE = 0x20;
const WEBP_EXIF = 0x08;
const WEBP_ANIMATION = 0x02;

function webpHeader(bytes: Uint8Array, view: DataView): PictureHeader | undefined {
  const type = ascii(bytes, 12, 16);
  if (type === 'VP8X') {
    const uint24 = (at: number): number => view.getUint16(at, true) + view.getUint8(at + 2) * 65_536;
    const flags = view.getUint8(20);
    return sized(1 + uint24(24), 1 + uint24(27), (flags & WEBP_EXIF) !== 0, (flags & (WEBP_PROFILE | WEBP_ANIMATION)) === 0);
  }
  // Lossy: 14 bits each after the start code; the upper two scale on display.
  if (type === 'VP8 ' && view.getUint8(23) === 0x9d && view.getUint8(24) === 0x01 && view.getUint8(25) === 0x2a) {
    return sized(view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff, false, true);
  }
  if (type === 'VP8L' && view.getUint8(20) === 0x2f) {
    const bits = view.getUint32(21, true);
    return sized(1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff), false, true);
  }
  return undefined;
}

function sized(width: number, height: number, hasExif: boolean, plain?: boolean): PictureHeader | undefined {
  return width > 0 && height > 0 ? { width, height, hasExif, plain } : undefined;
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start, end);
}
