import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { blurBoxes } from '../../../src/stages/download/blur-boxes.ts';
import { peers } from '../../local-paths.ts';
import { startServer } from '../../net/loopback-server.ts';
import { exifBlock, manyTags, withExifBlock } from './exif-block.ts';
import { runDownload, temporaryFolder } from './run-download.ts';

/** The same links downloaded by img2dataset and by us: what differs is what docs/download.md says. */

/** Columns, keys and statistics that only we have. */
const OURS = {
  columns: ['language', 'licence', 'hash', 'uid', 'page_url', 'crawl_file', 'record_offset', 'phash'],
  marker: ['stage', 'shard', 'in', 'out', 'dropped', 'files', 'digest', 'made_by', 'warnings'],
};

interface Described {
  columns: [string, string][];
  rows: Record<string, unknown>[];
  members: [string, string[]][];
  json: Record<string, unknown>[];
  marker: Record<string, unknown>;
}

const python = join(peers, 'image/bin/python');

async function peer(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(python, [join(import.meta.dirname, 'peer_outputs.py'), ...args], {
    env: { ...process.env, NO_ALBUMENTATIONS_UPDATE: '1', PYTHONWARNINGS: 'ignore' },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.trimEnd().split('\n').at(-1) ?? '';
}

/** A good picture, two with EXIF, a small one, a broken one, what is not there, and what forbids its use; with columns of every type. */
async function links(): Promise<string> {
  const made = sharp({ create: { width: 300, height: 200, channels: 3, background: '#a03050' } });
  const bodies: Record<string, Buffer> = {
    good: await made.clone().jpeg().toBuffer(),
    exif: await made
      .clone()
      .withExif({ IFD0: { Copyright: 'A Person', Software: 'test' }, IFD2: { FNumber: '28/10' } })
      .jpeg()
      .toBuffer(),
    camera: withExifBlock(await made.clone().jpeg().toBuffer(), exifBlock(false, ...manyTags)),
    png: await made.clone().png().toBuffer(),
    small: await made.clone().resize(20, 10).jpeg().toBuffer(),
    broken: Buffer.from('this is no picture'.repeat(20)),
    refused: await made.clone().jpeg().toBuffer(),
  };
  const server = await startServer((request, response) => {
    const name = request.url!.slice(1);
    if (name === 'refused') response.setHeader('X-Robots-Tag', 'noai');
    const body = bodies[name];
    if (body) response.end(body);
    else response.writeHead(name === 'busy' ? 503 : 404).end();
  });
  const path = join(await temporaryFolder(), 'list.csv');
  const rows = [...Object.keys(bodies), 'gone', 'busy'].map((name, i) => `http://127.0.0.1:${server.port}/${name},A ${name} “one”,${i},${i}.5,word ${i}`);
  await writeFile(path, `url,words,number,score,note\n${rows.join('\n')}\n`);
  return path;
}

const ours = { allowAddress: ['127.0.0.1/32'], minBytes: 0, captionCol: 'words', minImageSize: 15 };
const theirs = {
  input_format: 'csv',
  url_col: 'url',
  caption_col: 'words',
  save_additional_columns: ['number', 'score', 'note'],
  min_image_size: 15,
  thread_count: 4,
};

const without = (record: Record<string, unknown>, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));

/** Tags whose values are single bytes, which img2dataset's exifread reads as 0 (docs/download.md). */
const SINGLE_BYTES = [
  'Image XPAuthor',
  'EXIF ExifVersion',
  'EXIF ComponentsConfiguration',
  'EXIF FlashPixVersion',
  'EXIF FileSource',
  'EXIF Tag 0xABC0',
  'Interoperability InteroperabilityVersion',
  'GPS GPSVersionID',
];

/** Encoders differ by a few bytes. */
function comparable(rows: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  return rows.map((row) => ({
    ...without(row, OURS.columns),
    ...('jpg' in row && { jpg: row['jpg'] === null ? null : 'bytes' }),
    ...(typeof row['exif'] === 'string' && { exif: without(JSON.parse(row['exif']) as Record<string, unknown>, SINGLE_BYTES) }),
  }));
}

const cases = [
  ['webdataset', { computeHash: 'md5', resizeMode: 'keep_ratio' }],
  ['files', { computeHash: 'sha512', encodeFormat: 'png', encodeQuality: 6, resizeMode: 'no' }],
  ['parquet', { resizeMode: 'center_crop', resizeOnlyIfBigger: true }],
  ['dummy', { extractExif: false }],
] as const;

describe.skipIf(!existsSync(python))(`beside img2dataset (${python}, of shared/tools/make-peers, in the folder that PAIRMILL_PEERS names)`, () => {
  test('columns, types, rows, members, json and marker of each format', async () => {
    const list = await links();
    const jobs: { ours: string; options: Record<string, unknown> }[] = [];
    for (const [outputFormat, options] of cases) {
      const { output } = await runDownload(list, { ...ours, ...options, outputFormat });
      const snake = Object.fromEntries(Object.entries(options).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]));
      const output_folder = join(await temporaryFolder(), 'images');
      jobs.push({ ours: output, options: { url_list: list, output_folder, output_format: outputFormat, ...theirs, ...snake } });
    }
    const described = JSON.parse(await peer('compare', JSON.stringify(jobs))) as [Described, Described][];
    for (const [i, [mine, peers]] of described.entries()) {
      const [format] = cases[i]!;
      expect(
        mine.columns.filter(([name]) => !OURS.columns.includes(name)),
        format,
      ).toEqual(peers.columns);
      expect(comparable(mine.rows), format).toEqual(comparable(peers.rows));
      expect(mine.members, format).toEqual(peers.members);
      expect(comparable(mine.json), format).toEqual(comparable(peers.json));
      expect(mine.json.map((json) => Object.keys(without(json, OURS.columns)))).toEqual(peers.json.map((json) => Object.keys(json)));
      expect(Object.keys(without(mine.marker, OURS.marker)).sort(), format).toEqual(Object.keys(peers.marker).sort());
      for (const key of ['count', 'successes', 'failed_to_download', 'failed_to_resize', 'status_dict'])
        expect(mine.marker[key], `${format} ${key}`).toEqual(peers.marker[key]);
      if (format === 'dummy') continue;
      const [success, download, resize] = ['success', 'failed_to_download', 'failed_to_resize'];
      expect(peers.rows.map(({ status }) => status)).toEqual([success, success, success, success, resize, resize, download, download, download]);
    }
  }, 300_000);

  test('open_clip trains on our tars, and img2dataset downloads from our Parquet', async () => {
    const { output } = await runDownload(await links(), ours);
    const { samples, links: read } = JSON.parse(await peer('read', output)) as { samples: [number[], string][]; links: Record<string, unknown>[] };
    expect(samples).toEqual(['good', 'exif', 'camera', 'png'].map((name) => [[256, 256], `A ${name} “one”`]));
    expect(read).toHaveLength(9);
    expect(Object.keys(read[0]!)).toEqual(['hash', 'caption', 'sha256', 'url']);
  }, 300_000);

  test('boxes are blurred alike', async () => {
    const picture = join(await temporaryFolder(), 'picture.png');
    const pixels = Buffer.from(Array.from({ length: 320 * 240 * 3 }, (_, i) => (Math.trunc(i / 3) * 7919 + i) % 256));
    await sharp(pixels, { raw: { width: 320, height: 240, channels: 3 } })
      .png()
      .toFile(picture);
    const boxes: [number, number, number, number][] = [
      [0.1, 0.1, 0.3, 0.4],
      [0.7, 0.6, 1, 1],
    ];
    const theirs = Buffer.from(JSON.parse(await peer('blur', JSON.stringify({ picture, boxes }))) as string, 'hex');
    const { data } = await blurBoxes({ data: pixels, width: 320, height: 240 }, boxes);
    const differences = data.map((value, i) => Math.abs(value - theirs[i]!));
    expect(differences.reduce((sum, value) => sum + value, 0) / data.length).toBeLessThan(1);
    // Seen at the edge of the picture, which OpenCV mirrors and libvips continues with its last pixel.
    const inside = differences.filter((_, i) => Math.trunc(i / 3) % 320 < 300 && Math.trunc(i / 960) < 220);
    expect(inside.reduce((most, value) => Math.max(most, value), 0)).toBeLessThan(16);
    expect(Buffer.compare(theirs, pixels)).not.toBe(0);
  }, 300_000);
});
