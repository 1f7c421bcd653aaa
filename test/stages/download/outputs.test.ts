import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { recogniseInput } from '../../../src/cli/recognise-input.ts';
import { UsageError } from '../../../src/contracts/errors.ts';
import { parquetElements } from '../../../src/formats/parquet.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { readMarker } from '../../../src/runtime/marker.ts';
import { download } from '../../../src/stages/download/download.ts';
import { downloadOptions } from '../../../src/stages/download/options.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { importPictures } from '../../../src/stages/import/import.ts';
import { LocalStorage } from '../../../src/storage/local-storage.ts';
import { startServer } from '../../net/loopback-server.ts';
import { runOneStage } from '../run-one-stage.ts';
import { rowsOf, runDownload, samplesOf, temporaryFolder } from './run-download.ts';

/** A picture of noise whose seed is its path: `/0`, `/1`, …; others are not there. */
async function serve(): Promise<{ url(path: string): string; allowAddress: string[]; body(path: string): Promise<Buffer>; requests: string[] }> {
  const body = (path: string): Promise<Buffer> => {
    const pixels = Buffer.from(Array.from({ length: 40 * 30 }, (_, i) => (i * (Number(path) + 3) * 7919) % 251));
    return sharp(pixels, { raw: { width: 40, height: 30, channels: 1 } })
      .resize(400, 300)
      .jpeg()
      .toBuffer();
  };
  const server = await startServer(async (request, response) => {
    const path = request.url!.slice(1);
    if (/^\d+$/.test(path)) response.end(await body(path));
    else response.writeHead(404).end();
  });
  return { url: (path) => `http://127.0.0.1:${server.port}/${path}`, allowAddress: ['127.0.0.1/32'], body, requests: server.requests };
}

const Listed = z.object({ url: z.string(), text: z.string(), note: z.string(), number: z.int64() });

async function listOf(server: { url(path: string): string }, paths: readonly string[]): Promise<string> {
  const path = join(await temporaryFolder(), 'list.parquet');
  const rows = paths.map((name, i) => ({ url: server.url(name), text: `picture ${name}`, note: `note ${i}`, number: BigInt(i) }));
  await writeParquet(path, Listed, rows);
  return path;
}

test('files: a folder of files for each shard, which run packs again under the same identity', async () => {
  const server = await serve();
  const input = await listOf(server, ['0', '1', 'gone', '2']);
  const { output, summary } = await runDownload(input, { allowAddress: server.allowAddress, outputFormat: 'files', numberSamplePerShard: 3 });
  expect(summary).toMatchObject({ in: 4, out: 3, dropped: { 'http-not-found': 1 } });
  expect((await readdir(join(output, '00000'))).sort()).toEqual([
    '000000000.jpg',
    '000000000.json',
    '000000000.txt',
    '000000001.jpg',
    '000000001.json',
    '000000001.txt',
  ]);
  expect(await readFile(join(output, '00000', '000000001.txt'), 'utf8')).toBe('picture 1');
  const rows = await rowsOf(join(output, '00000.parquet'));
  expect(rows.map(({ status }) => status)).toEqual(['success', 'success', 'failed_to_download']);
  expect(JSON.parse(await readFile(join(output, '00000', '000000001.json'), 'utf8'))).toMatchObject({ key: '000000001', note: 'note 1', number: 1 });

  // Killed before its marker: the shard is made again over what is there.
  const again = await runDownload(input, { allowAddress: server.allowAddress, outputFormat: 'files', numberSamplePerShard: 3 }, { output });
  expect(again.kept.sort()).toEqual(['00000', '00001']);

  expect(await recogniseInput(output, {})).toMatchObject({ kind: 'pictures', what: 'pictures that download wrote with --output-format files' });
  expect(await importedHashes(output)).toEqual(['0', '1', '2'].map((name) => sampleHash(server.url(name), `picture ${name}`)));
});

test('parquet: the pictures in a column, in small row groups; run packs them again', async () => {
  const server = await serve();
  const input = await listOf(server, ['0', 'gone', '1']);
  const { output, summary } = await runDownload(input, { allowAddress: server.allowAddress, outputFormat: 'parquet', encodeFormat: 'webp' });
  expect(summary).toMatchObject({ in: 3, out: 2 });
  expect((await readdir(output)).filter((name) => name.startsWith('0')).sort()).toEqual(['00000.parquet', '00000_stats.json']);
  expect((await parquetElements(join(output, '00000.parquet'))).at(-1)).toEqual({ name: 'webp', type: 'BYTE_ARRAY', plain: false });
  const rows = await rowsOf<{ webp: Uint8Array | null; width: number | null }>(join(output, '00000.parquet'), { bytes: true });
  expect(rows.map(({ webp }) => webp !== null)).toEqual([true, false, true]);
  expect(await sharp(rows[2]!.webp!).metadata()).toMatchObject({ format: 'webp', width: 256 });

  expect(await recogniseInput(join(output, '00000.parquet'), {})).toMatchObject({ kind: 'pictures', what: 'a Parquet file with pictures (in webp)' });
  for (const given of [output, join(output, '00000.parquet')])
    expect(await importedHashes(given)).toEqual(['0', '1'].map((name) => sampleHash(server.url(name), `picture ${name}`)));
});

/** What import makes of a folder or file. */
async function importedHashes(input: string): Promise<bigint[]> {
  const samples = join(await temporaryFolder(), 'samples');
  const { made } = await runOneStage(importPictures, samples, { language: 'en' }, { input, output: samples });
  const rows = await Promise.all(made.sort().map((shard) => rowsOf(join(samples, `${shard}.parquet`))));
  return rows.flat().map(({ hash }) => hash);
}

test('dummy: nothing but the counts', async () => {
  const server = await serve();
  const { output, summary } = await runDownload(await listOf(server, ['0', 'gone']), { allowAddress: server.allowAddress, outputFormat: 'dummy' });
  expect(summary).toMatchObject({ in: 2, out: 1 });
  expect((await readdir(output)).filter((name) => name.startsWith('0'))).toEqual(['00000_stats.json']);
  expect(await readMarker(new LocalStorage(output), '00000')).toMatchObject({ successes: 1, status_dict: { success: 1, 'HTTP Error 404: Not Found': 1 } });
});

test('stages that read tars refuse other formats before anything is done', () => {
  expect(() => download.check!(downloadOptions.parse({ outputFormat: 'files' }), ['filter'])).toThrow(
    new UsageError('--output-format files: filter reads tars, which webdataset alone writes. Leave it out, or end with --until download.'),
  );
  const shards = [{ name: '00000', digest: '', files: [], madeBy: { options: { outputFormat: 'parquet' }, models: {} } }];
  const plan = () => filter.plan({ datasets: { samples: { shards, sealed: true } } } as unknown as Parameters<typeof filter.plan>[0]);
  expect(plan).toThrow('filter reads tars, and 00000 was downloaded with --output-format parquet. Give its folder to pairmill run, which packs it.');
});

test.each(['md5', 'sha256', 'sha512', 'none'] as const)('--compute-hash %s: a column of that name, of the bytes as they came', async (computeHash) => {
  const server = await serve();
  const path = join(await temporaryFolder(), 'list.parquet');
  const right = createHash('sha512')
    .update(await server.body('0'))
    .digest('hex');
  await writeParquet(
    path,
    z.object({ url: z.string(), md5: z.string(), wanted: z.string() }),
    ['0', '1'].map((name) => ({ url: server.url(name), md5: 'of the list', wanted: right })),
  );
  const { output, rejects } = await runDownload(path, { allowAddress: server.allowAddress, computeHash, verifyHash: ['wanted', 'sha512'] });
  const [row] = await rowsOf<Record<string, unknown>>(join(output, '00000.parquet'));
  const hashes = { md5: row!['md5'], sha256: row!['sha256'], sha512: row!['sha512'] };
  const own =
    computeHash === 'none'
      ? {}
      : {
          [computeHash]: createHash(computeHash)
            .update(await server.body('0'))
            .digest('hex'),
        };
  // A column of the list keeps its name where that is free.
  expect(hashes).toEqual({ md5: 'of the list', sha256: undefined, sha512: undefined, ...own });
  expect(row!['input_md5']).toBe(computeHash === 'md5' ? 'of the list' : undefined);
  expect(rejects).toMatchObject([{ url: server.url('1'), reason: 'hash-mismatch', threshold: right }]);
});

test('--verify-hash of a type that is not computed is refused', () => {
  expect(() => download.check!(downloadOptions.parse({ verifyHash: ['wanted', 'crc32'] }), [])).toThrow(
    'crc32 is no type of hash that is computed. Give one of md5, sha256, sha512.',
  );
});

test('--save-additional-columns: only these come along', async () => {
  const server = await serve();
  const input = await listOf(server, ['0']);
  const { output } = await runDownload(input, { allowAddress: server.allowAddress, saveAdditionalColumns: ['number'] });
  const json = (await samplesOf(join(output, '00000.tar'))).get('000000000')!.get('json')!;
  const meta = JSON.parse(Buffer.from(json).toString()) as Record<string, unknown>;
  expect([meta['number'], meta['note']]).toEqual([0, undefined]);
  await expect(runDownload(input, { saveAdditionalColumns: ['colour'] })).rejects.toThrow('has no column colour. Its columns are url, text, note, number.');
});

test('--bbox-col: the boxes are blurred, the rest stays; boxes that can not be read cost their picture, and no request', async () => {
  const server = await serve();
  const path = join(await temporaryFolder(), 'list.parquet');
  const faces = ['[[0.25,0.25,0.5,0.5]]', null, 'nothing to read'];
  const urls = [server.url('0'), server.url('00'), server.url('2')];
  await writeParquet(
    path,
    z.object({ url: z.string(), faces: z.string().nullable() }),
    urls.map((url, i) => ({ url, faces: faces[i]! })),
  );
  const { output, rejects } = await runDownload(path, {
    allowAddress: server.allowAddress,
    bboxCol: 'faces',
    resizeMode: 'no',
    encodeFormat: 'png',
    encodeQuality: 1,
  });
  expect(rejects).toMatchObject([{ url: urls[2], reason: 'unreadable-boxes' }]);
  expect(server.requests.some((request) => request.endsWith('/2'))).toBe(false);
  const samples = await samplesOf(join(output, '00000.tar'));
  /** Mean difference of the two in a part of the picture. */
  const changed = async (left: number, top: number): Promise<number> => {
    const part = (key: string): Promise<Buffer> => sharp(samples.get(key)!.get('png')).extract({ left, top, width: 60, height: 40 }).raw().toBuffer();
    const [blurred, plain] = await Promise.all([part('000000000'), part('000000001')]);
    return blurred.reduce((sum, value, i) => sum + Math.abs(value - plain[i]!), 0) / plain.length;
  };
  expect(await changed(120, 90)).toBeGreaterThan(5);
  expect(await changed(300, 220)).toBe(0);
  expect(() => download.check!(downloadOptions.parse({ bboxCol: 'faces', disableAllReencoding: true }), [])).toThrow(UsageError);
});
