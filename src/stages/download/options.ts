import { z } from 'zod';
import { option } from '../../contracts/option.ts';

/** img2dataset's names and defaults (main.py) where it has them; what differs carries a note. */
export const downloadOptions = z.object({
  imageSize: option(z.int().positive().default(256), 'side to resize to', { unit: 'pixels' }),
  resizeMode: option(
    z.enum(['no', 'border', 'keep_ratio', 'keep_ratio_largest', 'center_crop']).default('border'),
    'no: keep the size; border: fit in the square and pad white; keep_ratio: shorter side = image size; keep_ratio_largest: longer side = image size; center_crop: keep_ratio, then the middle square',
  ),
  resizeOnlyIfBigger: option(z.boolean().default(false), 'leave pictures that are smaller as they are'),
  upscaleInterpolation: option(
    z.enum(['nearest', 'linear', 'bilinear', 'cubic', 'bicubic', 'area', 'lanczos', 'lanczos4']).default('lanczos'),
    'kernel for enlarging',
  ),
  downscaleInterpolation: option(
    z.enum(['nearest', 'linear', 'bilinear', 'cubic', 'bicubic', 'area', 'lanczos', 'lanczos4']).default('area'),
    'kernel for shrinking',
  ),
  encodeFormat: option(z.enum(['jpg', 'png', 'webp']).default('jpg'), 'format of the packed pictures'),
  encodeQuality: option(z.int().min(0).max(100).default(95), 'quality; for png the compression, 0 to 9'),
  skipReencode: option(z.boolean().default(false), 'keep the original bytes where the format fits and no resize is needed'),
  disableAllReencoding: option(z.boolean().default(false), 'keep the original bytes always, unresized and not decoded'),
  minImageSize: option(z.int().nonnegative().default(0), 'shorter side at least', { unit: 'pixels' }),
  maxImageArea: option(z.number().positive().optional(), 'width x height at most; any where not given', { unit: 'pixels' }),
  maxAspectRatio: option(z.number().min(1).optional(), 'longer side / shorter side at most; any where not given'),
  maxPixels: option(z.int().positive().default(89_478_484), 'pixels that a header may declare: larger pictures are not decoded', {
    unit: 'pixels',
    note: "LAION's limit; img2dataset has none, so one picture can take all memory",
  }),
  minBytes: option(z.int().nonnegative().default(5000), 'size of a body at least', { unit: 'bytes', note: "LAION's limit; img2dataset has none" }),
  maxBytes: option(
    z
      .int()
      .positive()
      .default(32 * 1024 * 1024),
    'size of a body at most',
    { unit: 'bytes', note: 'img2dataset reads a body without end' },
  ),
  extractExif: option(z.boolean().default(true), 'keep the EXIF as JSON'),
  computeHash: option(z.enum(['sha256', 'none']).default('sha256'), 'hash of the bytes as downloaded'),
  verifyHash: option(z.string().optional(), 'column of the list with the sha256 that the bytes must have', { value: 'COLUMN' }),
  numberSamplePerShard: option(z.int().positive().default(10_000), 'links in a shard of a list; of drawn batches draw has this option'),
  concurrency: option(z.int().positive().default(256), 'requests at a time in each worker', {
    aliases: ['thread-count'],
    decidesResult: false,
  }),
  hostConcurrency: option(z.int().positive().default(8), 'requests at a time to one host in each worker', { decidesResult: false }),
  decodeConcurrency: option(z.int().positive().default(2), 'pictures decoded at a time in each worker', { decidesResult: false }),
  maxBufferedBytes: option(
    z
      .int()
      .positive()
      .default(256 * 1024 * 1024),
    'finished pictures that wait for their turn in the tar, in each worker: at this size no new request is sent',
    {
      unit: 'bytes',
      decidesResult: false,
    },
  ),
  timeout: option(z.number().positive().default(10), 'for the whole request: connecting, redirects and body', {
    unit: 'seconds',
    note: 'of img2dataset for each read of a socket, so a dripping body never ends',
  }),
  retries: option(
    z.int().nonnegative().default(0),
    'more tries after a time-out, a failed connection, HTTP 429 or 5xx, with growing pauses; never after a refusal or a 404',
  ),
  maxRedirects: option(z.int().nonnegative().default(5), 'redirects followed'),
  robotsTxt: option(z.boolean().default(true), 'obey robots.txt (our name is pairmill)', { note: 'img2dataset does not read it' }),
  disallowedHeaderDirectives: option(
    z.array(z.string()).default(['noai', 'noimageai', 'noindex', 'noimageindex']),
    'X-Robots-Tag directives that refuse a picture',
  ),
  tdmReservation: option(z.boolean().default(true), 'obey the tdm-reservation header', { note: 'img2dataset does not read it' }),
  contact: option(z.string().optional(), 'URL or mail address in the user agent, for those whose servers we ask', { value: 'URL', decidesResult: false }),
  connectTo: option(
    z.array(z.string()).default([]),
    "curl's HOST:PORT:ADDR:PORT: send requests for HOST:PORT to ADDR:PORT; that address is let through the address guard",
    {
      value: 'HOST:PORT:ADDR:PORT',
      decidesResult: false,
    },
  ),
  ignoreSslCertificate: option(z.boolean().default(false), 'do not check TLS certificates'),
});

export type DownloadOptions = z.output<typeof downloadOptions>;
