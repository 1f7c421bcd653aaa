import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { blocklistOptions } from '../../sources/blocklist.ts';

export const hashTypes = ['md5', 'sha256', 'sha512'] as const;
export type HashType = (typeof hashTypes)[number];

/** img2dataset's names and defaults (main.py) where it has them; what differs carries a note. */
export const downloadOptions = z.object({
  imageSize: option(z.int().positive().default(256), 'Side that pictures are resized to', { unit: 'pixels', often: true }),
  resizeMode: option(
    z.enum(['no', 'border', 'keep_ratio', 'keep_ratio_largest', 'center_crop']).default('border'),
    'How pictures are resized. no: not at all; border: into a square, with white at the sides; keep_ratio: the shorter side gets the image size; keep_ratio_largest: the longer side does; center_crop: as keep_ratio, and the middle square is cut out',
    { often: true },
  ),
  resizeOnlyIfBigger: option(z.boolean().default(false), 'Leave pictures that are smaller than the image size as they are'),
  upscaleInterpolation: option(
    z.enum(['nearest', 'linear', 'bilinear', 'cubic', 'bicubic', 'area', 'lanczos', 'lanczos4']).default('lanczos'),
    'Interpolation by which pictures are enlarged',
  ),
  downscaleInterpolation: option(
    z.enum(['nearest', 'linear', 'bilinear', 'cubic', 'bicubic', 'area', 'lanczos', 'lanczos4']).default('area'),
    'Interpolation by which pictures are made smaller',
  ),
  encodeFormat: option(z.enum(['jpg', 'png', 'webp']).default('jpg'), 'Format of the packed pictures', { often: true }),
  encodeQuality: option(z.int().min(0).max(100).default(95), 'Quality of the packed pictures; for png the compression, from 0 to 9'),
  skipReencode: option(z.boolean().default(false), 'Keep the original bytes where the format is right and the picture is not resized'),
  disableAllReencoding: option(z.boolean().default(false), 'Keep the original bytes of every picture; none is resized or decoded'),
  minImageSize: option(z.int().nonnegative().default(0), 'Pictures whose shorter side is shorter than this are dropped', { unit: 'pixels', often: true }),
  maxImageArea: option(z.number().positive().optional(), 'Pictures with a larger area (width x height) are dropped; without it, none is', { unit: 'pixels' }),
  maxAspectRatio: option(z.number().min(1).optional(), 'Pictures with a larger ratio of longer to shorter side are dropped; without it, none is'),
  maxPixels: option(z.int().positive().default(89_478_484), 'Pictures with more pixels, by what their header says, are dropped and not decoded', {
    shared: true,
    unit: 'pixels',
    note: "LAION's limit; img2dataset has none, so one picture can take all memory",
  }),
  minBytes: option(z.int().nonnegative().default(5000), 'Smaller files are dropped', { unit: 'bytes', note: "LAION's limit; img2dataset has none" }),
  maxBytes: option(
    z
      .int()
      .positive()
      .default(32 * 1024 * 1024),
    'Larger files are dropped, and not read to their end',
    { unit: 'bytes', note: 'img2dataset reads a body without end' },
  ),
  extractExif: option(z.boolean().default(true), 'Keep the EXIF data, as JSON'),
  computeHash: option(z.enum([...hashTypes, 'none']).default('sha256'), 'Hash of the bytes as they were downloaded: a column of that name', {
    instead: { None: 'give none.' },
  }),
  phash: option(z.boolean().default(true), 'Add the perceptual hash of each picture, by which near-duplicates are found', { note: 'img2dataset has none' }),
  verifyHash: option(
    z.array(z.string()).min(1).max(2).optional(),
    'Column of the list with the hash that the downloaded bytes must have, and its type (md5, sha256, sha512; that of --compute-hash where it is not given)',
    { value: 'COLUMN,TYPE' },
  ),
  bboxCol: option(z.string().optional(), 'Column of the list with boxes to blur, faces for example: [[x_min, y_min, x_max, y_max], …], each from 0 to 1', {
    value: 'COLUMN',
  }),
  outputFormat: option(
    z.enum(['webdataset', 'files', 'parquet', 'dummy']).default('webdataset'),
    'webdataset: tars with a Parquet file beside each; files: folders of files instead of tars; parquet: the pictures in a column of the Parquet files; dummy: nothing but counts. Stages behind download read webdataset',
    {
      note: 'files in img2dataset',
      instead: { tfrecord: 'TFRecord files are not written. Give webdataset or parquet, which TensorFlow reads by tf.data.Dataset.from_generator.' },
    },
  ),
  ...blocklistOptions,
  numberSamplePerShard: option(z.int().positive().default(10_000), 'Links in a shard, where a list is downloaded (draw has this option for batches)'),
  concurrency: option(z.int().positive().default(256), 'Requests at a time in each worker', {
    often: true,
    aliases: ['thread-count'],
    decidesResult: false,
  }),
  hostConcurrency: option(z.int().positive().default(8), 'Requests at a time to one host in each worker', { often: true, decidesResult: false }),
  hostInterval: option(z.number().nonnegative().default(0), 'Least time between the starts of two requests to one host in each worker', {
    unit: 'seconds',
    decidesResult: false,
  }),
  decodeConcurrency: option(z.int().positive().default(2), 'Pictures decoded at a time in each worker', { decidesResult: false }),
  maxBufferedBytes: option(
    z
      .int()
      .positive()
      .default(256 * 1024 * 1024),
    'Finished pictures that may wait in each worker for their turn in the tar; with more, no new request is sent',
    {
      unit: 'bytes',
      decidesResult: false,
    },
  ),
  timeout: option(z.number().positive().default(10), 'Time for a whole request: connecting, redirects and the picture', {
    often: true,
    unit: 'seconds',
    note: 'in img2dataset for each read of a socket, so a slow server can hold a request for ever',
  }),
  connectTimeout: option(z.number().positive().default(5), 'Time for a connection, over all addresses of the host; at most --timeout', { unit: 'seconds' }),
  headerTimeout: option(z.number().positive().default(10), 'Time from a request to the header of its answer; at most --timeout', { unit: 'seconds' }),
  idleTimeout: option(z.number().positive().default(5), 'Time between two pieces of a body; at most --timeout', { unit: 'seconds' }),
  retries: option(
    z.int().nonnegative().default(0),
    'Further requests that a link may cost, over all its redirects, after a time-out, a failed connection, HTTP 429 or 5xx; with growing pauses, or what Retry-After asks for up to 60 seconds. There is none after a refusal or a 404',
  ),
  maxRedirects: option(z.int().nonnegative().default(5), 'Redirects that are followed'),
  robotsTxt: option(z.boolean().default(true), 'Obey robots.txt, under the name pairmill', { often: true, note: 'img2dataset does not read it' }),
  disallowedHeaderDirectives: option(
    z.array(z.string()).default(['noai', 'noimageai', 'noindex', 'noimageindex']),
    'Directives of the X-Robots-Tag header by which a picture is dropped',
  ),
  tdmReservation: option(z.boolean().default(true), 'Obey the tdm-reservation header (TDMRep) of pictures', {
    shared: true,
    note: 'img2dataset does not read it',
  }),
  contact: option(
    z.string().optional(),
    'URL or mail address in the user agent, by which the owners of the servers reach you; more than 10,000 links are refused without it',
    {
      value: 'URL',
      often: true,
      decidesResult: false,
    },
  ),
  connectTo: option(z.array(z.string()).default([]), 'Send requests for HOST:PORT to ADDR:PORT, as curl does; ADDR may be a private address', {
    value: 'HOST:PORT:ADDR:PORT',
    decidesResult: false,
  }),
  allowAddress: option(z.array(z.string()).default([]), 'Private addresses, or ranges of them, that requests may go to: 192.168.1.20, 10.0.0.0/8', {
    value: 'ADDRESS,…',
    decidesResult: false,
  }),
  ignoreSslCertificate: option(z.boolean().default(false), 'Accept any TLS certificate'),
});

export type DownloadOptions = z.output<typeof downloadOptions>;
