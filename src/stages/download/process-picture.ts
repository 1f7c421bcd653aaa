import sharp, { type Sharp } from 'sharp';
import { messageOf } from '../../contracts/errors.ts';
import { freeBytes } from '../../pictures/free-bytes.ts';
import { jpegCodec } from '../../pictures/jpeg-codec.ts';
import { HASHED_SIDE, perceptualHash } from '../../pictures/perceptual-hash.ts';
import { blurBoxes, type Box } from './blur-boxes.ts';
import { decodeOnce, openPixels } from './decode-once.ts';
import { exifJson, exifOrientation } from './exif-json.ts';
import type { DownloadOptions } from './options.ts';
import { PictureError } from './picture-error.ts';
import { describeContent, type PictureFormat, readHeader, sniffFormat } from './picture-header.ts';
import { hashPicture, hashTarget } from './hash-picture.ts';
import { type ResizeGeometry, resizeGeometry } from './resize-geometry.ts';

/** A picture as it is packed. */
export interface Picture {
  bytes: Uint8Array;
  width: number;
  height: number;
  originalWidth: number;
  originalHeight: number;
  /** JSON, null where --no-extract-exif. */
  exif: string | null;
  /** Perceptual hash of the whole picture as it is shown; null where --no-phash, or where nothing was decoded. */
  phash: string | null;
}

/** img2dataset's names; libvips has no area kernel, its linear one covers the whole source area when it shrinks. */
const KERNELS = {
  nearest: 'nearest',
  linear: 'linear',
  bilinear: 'linear',
  cubic: 'cubic',
  bicubic: 'cubic',
  area: 'linear',
  lanczos: 'lanczos3',
  lanczos4: 'lanczos3',
} as const;

/**
 * Checks a downloaded body and makes the packed picture of it: sniffed by content, size limits checked on the header
 * before anything is decoded, rotated by its EXIF, alpha on white, resized, its boxes blurred, encoded. Throws PictureError.
 */
export async function processPicture(body: Uint8Array, options: DownloadOptions, boxes: readonly Box[] = []): Promise<Picture> {
  if (body.byteLength < options.minBytes) throw new PictureError('too-few-bytes', body.byteLength, options.minBytes);
  const format = sniffFormat(body);
  if (!format) throw new PictureError('not-an-image', describeContent(body));
  try {
    return await process(body, format, options, boxes);
  } catch (error) {
    if (error instanceof PictureError) throw error;
    // The pixel limit is checked before; sharp's own check is the second line for headers that we read otherwise.
    if (messageOf(error).includes('exceeds pixel limit')) throw new PictureError('too-many-pixels', 'declared', options.maxPixels);
    throw new PictureError('decode-failed', messageOf(error).split('\n')[0]!);
  }
}

async function process(body: Uint8Array, format: PictureFormat, options: DownloadOptions, boxes: readonly Box[]): Promise<Picture> {
  const described = await describe(body, format, options);
  const { width, height, orientation, exif } = described;
  const shown = orientation >= 5 ? { width: height, height: width } : { width, height };
  checkShape(shown, options);
  const geometry = resizeGeometry(shown.width, shown.height, options);
  const open = (): Sharp => openBody(body, options);
  const job: PictureJob = { body, format, described, geometry, options, boxes, open, input: once(open) };
  const packed = (await keepBytes(job)) ?? (await packByCodec(job)) ?? (await packBySharp(job));
  return { originalWidth: shown.width, originalHeight: shown.height, exif: options.extractExif ? exifJson(exif) : null, ...packed };
}

/** A picture on its way into the tar: what it is, and what is to become of it. */
interface PictureJob {
  body: Uint8Array;
  format: PictureFormat;
  described: Described;
  geometry: ResizeGeometry;
  options: DownloadOptions;
  boxes: readonly Box[];
  /** Opens the body once more. */
  open: () => Sharp;
  /** The body, opened once. */
  input: () => Sharp;
}

/** What one of the ways makes; undefined where the picture is not for it, which its bytes and the options alone decide. */
type Packed = Pick<Picture, 'bytes' | 'width' | 'height' | 'phash'>;

/** The bytes as they came. They are not rotated, so their size is that of the stored pixels. */
async function keepBytes({ body, format, described, geometry, options, boxes, open, input }: PictureJob): Promise<Omit<Picture, 'exif'> | undefined> {
  const { width, height } = described;
  const kept = { bytes: body, width, height, originalWidth: width, originalHeight: height, phash: null };
  if (options.disableAllReencoding) return kept;
  const isUntouched = !geometry.scaled && !geometry.margins && !geometry.crop && boxes.length === 0;
  if (!options.skipReencode || !isUntouched || format !== options.encodeFormat || (await hasAlpha(input, format))) return undefined;
  await decodeWhole(input());
  return { ...kept, phash: options.phash ? await hashPicture(described, format, open) : null };
}

/** JPEG to JPEG by the fast codec. */
async function packByCodec({ body, format, described, geometry, options, boxes, open }: PictureJob): Promise<Packed | undefined> {
  const bytes = format === 'jpg' && boxes.length === 0 ? packJpeg(body, described, geometry, options) : undefined;
  if (!bytes) return undefined;
  const packed = { bytes, width: geometry.width, height: geometry.height };
  if (!options.phash) return { ...packed, phash: null };
  // The codec only shrinks.
  const isSmall = Math.min(described.width, described.height) < HASHED_SIDE;
  return { ...packed, phash: isSmall ? await hashPicture(described, format, open) : perceptualHash(jpegCodec().brightness()) };
}

/** Every other picture, by libvips. */
async function packBySharp({ format, described, geometry, options, boxes, open, input }: PictureJob): Promise<Packed> {
  const { orientation } = described;
  // PNG keeps the resolution that the file states.
  const isPlain = described.plain && orientation === 1 && options.encodeFormat !== 'png';
  const pixels = options.phash && isPlain ? await decodeOnce(open, format, described, [geometry.scaled, hashTarget(described, format)]) : undefined;
  const scaled = scale(pixels ? openPixels(pixels) : input(), geometry, orientation, options);
  const framed = frame(boxes.length === 0 ? scaled : await blurred(scaled, boxes), geometry);
  const { data, info } = await encode(framed, options).toBuffer({ resolveWithObject: true });
  const phash = options.phash ? await hashPicture(described, format, open, pixels) : null;
  if (pixels) freeBytes(pixels.data);
  return { bytes: data, width: info.width, height: info.height, phash };
}

interface Described {
  /** Size as stored. */
  width: number;
  height: number;
  /** EXIF's 1 to 8. */
  orientation: number;
  exif: Uint8Array | undefined;
  plain?: boolean | undefined;
}

/** libvips opens the picture for it only where the header alone does not say enough. */
async function describe(body: Uint8Array, format: PictureFormat, options: DownloadOptions): Promise<Described> {
  const header = readHeader(body, format);
  if (header) checkPixels(header.width * header.height, options);
  const orientation = header?.exif ? exifOrientation(header.exif) : header?.hasExif === false ? 1 : undefined;
  if (header && orientation !== undefined) return { ...header, orientation, exif: header.exif };
  const metadata = await openBody(body, options).metadata();
  checkPixels(metadata.width * metadata.height, options);
  return { width: metadata.width, height: metadata.height, orientation: metadata.orientation ?? 1, exif: metadata.exif };
}

function openBody(body: Uint8Array, { maxPixels }: DownloadOptions): Sharp {
  return sharp(body, { failOn: 'truncated', limitInputPixels: maxPixels, sequentialRead: true });
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** By the fast codec, for the default kernels; undefined where the picture is not for it, which depends on its bytes alone. */
function packJpeg(
  body: Uint8Array,
  { width: storedWidth, height: storedHeight, orientation }: Described,
  { scaled, shrinks, margins, crop, width, height }: ResizeGeometry,
  { encodeFormat, encodeQuality, downscaleInterpolation, upscaleInterpolation }: DownloadOptions,
): Uint8Array | undefined {
  if (encodeFormat !== 'jpg') return undefined;
  if (scaled && (shrinks ? downscaleInterpolation !== 'area' : !upscaleInterpolation.startsWith('lanczos'))) return undefined;
  return jpegCodec().pack(body, {
    storedWidth,
    storedHeight,
    orientation,
    scaled,
    kernel: !scaled || shrinks ? 'area' : 'lanczos',
    width,
    height,
    left: (crop?.left ?? 0) - (margins?.left ?? 0),
    top: (crop?.top ?? 0) - (margins?.top ?? 0),
    quality: Math.max(1, encodeQuality),
  });
}

function scale(input: Sharp, { scaled, shrinks }: ResizeGeometry, orientation: number, options: DownloadOptions): Sharp {
  let picture = input;
  if (orientation > 1) picture = picture.autoOrient();
  // Before the resize, as img2dataset does it: the white is mixed in at full size.
  picture = picture.flatten({ background: '#ffffff' });
  if (scaled) picture = picture.resize({ ...scaled, fit: 'fill', kernel: KERNELS[shrinks ? options.downscaleInterpolation : options.upscaleInterpolation] });
  return picture;
}

/** img2dataset blurs what is scaled, before margins are added or cut off. */
async function blurred(scaled: Sharp, boxes: readonly Box[]): Promise<Sharp> {
  const { data, info } = await scaled.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  return sharp((await blurBoxes({ data, width, height }, boxes)).data, { raw: { width, height, channels: 3 } });
}

function frame(picture: Sharp, { margins, crop }: ResizeGeometry): Sharp {
  if (margins) return picture.extend({ ...margins, background: '#ffffff' });
  return crop ? picture.extract(crop) : picture;
}

function encode(picture: Sharp, { encodeFormat, encodeQuality }: DownloadOptions): Sharp {
  // Optimal Huffman tables cost a second pass over the picture: 75 -> 107 pictures a CPU-second without (measured).
  if (encodeFormat === 'jpg') return picture.jpeg({ quality: Math.max(1, encodeQuality), optimiseCoding: false });
  if (encodeFormat === 'webp') return picture.webp({ quality: Math.max(1, encodeQuality) });
  return picture.png({ compressionLevel: encodeQuality });
}

function checkPixels(pixels: number, { maxPixels }: DownloadOptions): void {
  if (pixels > maxPixels) throw new PictureError('too-many-pixels', pixels, maxPixels);
}

function checkShape({ width, height }: { width: number; height: number }, { minImageSize, maxImageArea, maxAspectRatio }: DownloadOptions): void {
  const [shorter, longer] = [Math.min(width, height), Math.max(width, height)];
  if (shorter < minImageSize) throw new PictureError('image-too-small', shorter, minImageSize);
  if (maxImageArea !== undefined && width * height > maxImageArea) throw new PictureError('image-too-large', width * height, maxImageArea);
  if (maxAspectRatio !== undefined && longer / shorter > maxAspectRatio) throw new PictureError('aspect-ratio', longer / shorter, maxAspectRatio);
}

async function hasAlpha(input: () => Sharp, format: PictureFormat): Promise<boolean> {
  return format !== 'jpg' && (await input().metadata()).hasAlpha;
}

/** Decodes every row and keeps none: bytes that are kept as they are must not be broken either (img2dataset#243). */
async function decodeWhole(input: Sharp): Promise<void> {
  await input.clone().resize(1, 1, { fit: 'fill', fastShrinkOnLoad: false }).raw().toBuffer();
}
