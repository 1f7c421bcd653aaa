import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { UsageError } from '../../../src/contracts/errors.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { readMarker } from '../../../src/runtime/marker.ts';
import { LocalStorage } from '../../../src/storage/local-storage.ts';
import { type LoopbackServer, startServer } from '../../net/loopback-server.ts';
import { requirePython } from '../../python.ts';
import { rowsOf, runDownload, samplesOf, temporaryFolder, writeLinks } from './run-download.ts';

/** A picture for each path; `/N.jpg` has N in its colour, `/gone…` is not there. */
async function pictureServer(): Promise<LoopbackServer & { connectTo: string[] }> {
  const server = await startServer(async (request, response) => {
    const number = Number(/\d+/.exec(request.url!)?.[0] ?? 0);
    if (request.url === '/robots.txt' || request.url!.startsWith('/gone')) response.writeHead(404).end();
    else response.end(await picture(number));
  });
  return Object.assign(server, { connectTo: [`::127.0.0.1:${server.port}`] });
}

/** Once each: libvips draws its noise anew every time. */
const pictures = new Map<number, Promise<Buffer>>();

function picture(number: number): Promise<Buffer> {
  const known = pictures.get(number) ?? makePicture(number);
  pictures.set(number, known);
  return known;
}

function makePicture(number: number): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
  return sharp({ create: { width: 300, height: 200, channels: 3, background: { r: number % 256, g: 0, b: 0 } } })
    .composite([{ input: { create: { width: 64, height: 64, channels: 3, background: '#000', noise } } }])
    .withExif({
      IFD0: { Copyright: `Person ${number}`, ImageDescription: 'Größe', Software: 'test' },
      IFD2: { FNumber: '28/10', ExposureTime: '1/60', ISOSpeedRatings: '100' },
    })
    .jpeg({ quality: 100 })
    .toBuffer();
}

const links = (count: number, path = ''): { url: string; text: string }[] =>
  Array.from({ length: count }, (_, i) => ({ url: `http://pictures.test/${path}${i}.jpg`, text: `Bild ${i} – 猫 😀 "x"\u007f` }));

describe('samples', () => {
  test('tar, Parquet and marker are laid out as img2dataset does it', async () => {
    const { connectTo } = await pictureServer();
    const folder = await temporaryFolder();
    const input = await writeLinks(join(folder, 'links.parquet'), [...links(4), { url: 'http://pictures.test/gone', text: 'gone' }]);
    const { output, summary } = await runDownload(input, { connectTo, minBytes: 0 });
    expect(summary).toMatchObject({ in: 5, out: 4, dropped: { 'http-not-found': 1 } });

    const samples = await samplesOf(join(output, '00000.tar'));
    expect([...samples.keys()]).toEqual(['000000000', '000000001', '000000002', '000000003']);
    const members = samples.get('000000002')!;
    expect([...members.keys()]).toEqual(['jpg', 'json', 'txt']);
    expect(Buffer.from(members.get('txt')!).toString()).toBe(links(3)[2]!.text);
    expect(await sharp(members.get('jpg')).metadata()).toMatchObject({ format: 'jpeg', width: 256, height: 256 });

    const rows = await rowsOf(join(output, '00000.parquet'));
    const { url, text } = links(3)[2]!;
    const body = await picture(2);
    expect(rows[2]).toEqual({
      // Columns of the list that this stage does not know.
      language_confidence: 1,
      words: 1,
      characters: text.length,
      alphanumeric_share: 1,
      special_share: 0,
      repetition_share: 0,
      language: 'en',
      licence: null,
      hash: sampleHash(url, text),
      uid: 'uid-2',
      page_url: 'http://page.test/',
      crawl_file: '00000.warc.wat.gz',
      record_offset: 2n,
      caption: text,
      url,
      key: '000000002',
      status: 'success',
      error_message: null,
      width: 256,
      height: 256,
      original_width: 300,
      original_height: 200,
      exif: expect.any(String),
      sha256: createHash('sha256').update(body).digest('hex'),
      phash: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(rows[4]).toMatchObject({
      key: '000000004',
      status: 'failed_to_download',
      error_message: 'HTTP Error 404: Not Found',
      width: null,
      exif: null,
      sha256: null,
    });

    // The json is the row: same columns, same order, hash digit by digit, ASCII only.
    const json = Buffer.from(members.get('json')!).toString('latin1');
    expect(json).toMatch(/^[\n\x20-\x7e]*$/);
    expect(json).toContain(`\n    "hash": ${rows[2]!.hash},\n`);
    const { hash: _hash, record_offset: _offset, ...plain } = rows[2]!;
    expect(JSON.parse(json)).toMatchObject(plain);
    expect(Object.keys(JSON.parse(json) as object)).toEqual(Object.keys(rows[2]!));

    expect(await readMarker(new LocalStorage(output), '00000')).toMatchObject({
      in: 5,
      out: 4,
      count: 5,
      successes: 4,
      failed_to_download: 1,
      failed_to_resize: 0,
      status_dict: { success: 4, 'HTTP Error 404: Not Found': 1 },
    });
  });

  test('a second run changes nothing and asks for nothing; a removed marker makes the same bytes again', async () => {
    const server = await pictureServer();
    const input = await writeLinks(join(await temporaryFolder(), 'links.parquet'), links(7));
    const options = { connectTo: server.connectTo, minBytes: 0, numberSamplePerShard: 3 };
    const first = await runDownload(input, options);
    expect(first.made.sort()).toEqual(['00000', '00001', '00002']);
    const asked = server.requests.length;
    const again = await runDownload(input, { ...options, concurrency: 1 }, { output: first.output });
    expect([again.kept.sort(), again.made, server.requests.length]).toEqual([['00000', '00001', '00002'], [], asked]);
    expect(again.summary).toMatchObject({ in: 7, out: 7 });

    const before = await readFile(join(first.output, '00001.tar'));
    await unlink(join(first.output, '00001_stats.json'));
    await writeFile(join(first.output, '00001.tar.tmp'), 'half of it');
    expect((await runDownload(input, options, { output: first.output })).made).toEqual(['00001']);
    expect((await readFile(join(first.output, '00001.tar'))).equals(before)).toBe(true);
    expect(server.requests.filter((each) => each.endsWith('.jpg'))).toHaveLength(10);
    await expect(runDownload(input, { ...options, imageSize: 128 }, { output: first.output })).rejects.toThrow(/--image-size was 256, is 128/);
  });

  test('the same URL and text twice in a batch', async () => {
    const { connectTo } = await pictureServer();
    const input = await writeLinks(join(await temporaryFolder(), 'links.parquet'), [...links(2), links(2)[1]!]);
    const { summary, output, rejects } = await runDownload(input, { connectTo, minBytes: 0 });
    expect(summary).toMatchObject({ in: 3, out: 2, dropped: { duplicate: 1 } });
    expect(rejects).toMatchObject([{ url: links(2)[1]!.url, reason: 'duplicate' }]);
    expect((await rowsOf(join(output, '00000.parquet')))[2]).toMatchObject({ status: 'failed_to_download', error_message: 'duplicate of a sample before it' });
  });

  test('an endless body and many large ones do not fill the memory', async () => {
    const large = Buffer.alloc(20_000_000, 'x');
    const server = await startServer((request, response) => void (request.url === '/robots.txt' ? response.writeHead(404).end() : response.end(large)));
    const input = await writeLinks(join(await temporaryFolder(), 'links.parquet'), links(50));
    const { summary } = await runDownload(input, { connectTo: [`::127.0.0.1:${server.port}`], maxBytes: 1_000_000 });
    expect(summary.dropped).toEqual({ 'body-too-large': 50 });
  });

  test('a server that answers nothing: every sample is a timeout, within the deadline', async () => {
    const server = await startServer((request, response) => void (request.url === '/robots.txt' ? response.writeHead(404).end() : undefined));
    const input = await writeLinks(join(await temporaryFolder(), 'links.parquet'), links(20));
    const started = performance.now();
    const { summary } = await runDownload(input, { connectTo: [`::127.0.0.1:${server.port}`], timeout: 0.3, hostConcurrency: 10 });
    expect(summary.dropped).toEqual({ timeout: 20 });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('input', () => {
  test('a folder of lists in sets: each cut by itself, en before multi before nolang', async () => {
    const { connectTo } = await pictureServer();
    const folder = await temporaryFolder();
    for (const set of ['nolang', 'en', 'multi']) {
      await mkdir(join(folder, set));
      await writeLinks(join(folder, set, '00000.parquet'), links(3, `${set}/`));
    }
    await writeFile(join(folder, '00000_stats.json'), '{}');
    const { output, made } = await runDownload(folder, { connectTo, minBytes: 0, numberSamplePerShard: 2 });
    expect(made.sort()).toEqual(['00000', '00001', '00002', '00003', '00004', '00005']);
    const rows = (await Promise.all(made.map(async (shard) => rowsOf(join(output, `${shard}.parquet`))))).flat();
    const expected = ['en', 'multi', 'nolang'].flatMap((set) => links(3, `${set}/`));
    expect(rows.map(({ url }) => url)).toEqual(expected.map(({ url }) => url));
  });

  test('a list that has grown keeps its shards: only the new rows get new ones', async () => {
    const { connectTo } = await pictureServer();
    const folder = await temporaryFolder();
    const [path, output] = [join(folder, 'links.parquet'), join(folder, 'samples')];
    await writeLinks(path, links(3));
    const settings = { connectTo, minBytes: 0, numberSamplePerShard: 2 };
    await runDownload(path, settings, { output });
    await writeLinks(join(folder, 'more.parquet'), links(2, 'more/'));
    const { made, kept } = await runDownload(`${path},${join(folder, 'more.parquet')}`, settings, { output });
    expect([made, kept.sort()]).toEqual([['00002'], ['00000', '00001']]);
  });

  test("LAION's columns, and a file with a URL column alone", async () => {
    const { connectTo } = await pictureServer();
    const folder = await temporaryFolder();
    await writeParquet(
      join(folder, 'laion.parquet'),
      z.object({ SAMPLE_ID: z.int64(), URL: z.string(), TEXT: z.string() }),
      links(2).map(({ url, text }, i) => ({ SAMPLE_ID: BigInt(i), URL: url, TEXT: text })),
    );
    const { output } = await runDownload(join(folder, 'laion.parquet'), { connectTo, minBytes: 0 });
    const rows = await rowsOf(join(output, '00000.parquet'));
    const { url, text } = links(2)[1]!;
    expect(rows[1]).toMatchObject({
      url,
      caption: text,
      hash: sampleHash(url, text),
      uid: createHash('md5')
        .update(text + url)
        .digest('hex'),
      record_offset: null,
      language: 'en',
    });

    await writeParquet(join(folder, 'bare.parquet'), z.object({ place: z.string() }), [{ place: url }]);
    await expect(runDownload(join(folder, 'bare.parquet'), { connectTo })).rejects.toThrow(
      'has no column url. Its columns are place. Name the right one with --url-col.',
    );
    const bare = await runDownload(join(folder, 'bare.parquet'), { connectTo, minBytes: 0, urlCol: 'place' });
    expect(await rowsOf(join(bare.output, '00000.parquet'))).toMatchObject([{ url, caption: '', hash: sampleHash(url, null), status: 'success' }]);
  });

  test('a hash that is not that of URL and text is an error unless it is trusted', async () => {
    const { connectTo } = await pictureServer();
    const path = join(await temporaryFolder(), 'links.parquet');
    const [{ url, text }] = links(1) as [{ url: string; text: string }];
    await writeParquet(path, z.object({ url: z.string(), text: z.string(), hash: z.int64() }), [{ url, text, hash: 5n }]);
    await expect(runDownload(path, { connectTo })).rejects.toThrow(/is 5 in the file, but .*--trust-hash/);
    const { output } = await runDownload(path, { connectTo, minBytes: 0, trustHash: true });
    expect(await rowsOf(join(output, '00000.parquet'))).toMatchObject([{ hash: 5n }]);
  });

  test('--verify-hash', async () => {
    const { connectTo } = await pictureServer();
    const path = join(await temporaryFolder(), 'links.parquet');
    const right = createHash('sha256')
      .update(await picture(0))
      .digest('hex');
    const rows = links(2).map((link) => ({ ...link, sha256: right.toUpperCase() }));
    await writeParquet(path, z.object({ url: z.string(), text: z.string(), sha256: z.string() }), rows);
    const { summary, rejects } = await runDownload(path, { connectTo, minBytes: 0, verifyHash: ['sha256'] });
    expect(summary).toMatchObject({ out: 1, dropped: { 'hash-mismatch': 1 } });
    expect(rejects).toMatchObject([{ url: rows[1]!.url, threshold: right }]);
  });

  test('wrong usage', async () => {
    const folder = await temporaryFolder();
    await expect(runDownload(join(folder, 'none.parquet'), {})).rejects.toThrow(UsageError);
    await expect(runDownload(folder, {})).rejects.toThrow('holds no list of links');
    const input = await writeLinks(join(folder, 'links.parquet'), links(1));
    await expect(runDownload(input, { connectTo: ['a:b'] })).rejects.toThrow('--connect-to a:b is not of the form');
    await expect(runDownload(input, { encodeFormat: 'png' })).rejects.toThrow('--encode-quality is 95');
    await copyFile(input, join(folder, 'cut.parquet'));
    await writeFile(join(folder, 'cut.parquet'), (await readFile(input)).subarray(0, 500));
    await expect(runDownload(join(folder, 'cut.parquet'), {})).rejects.toThrow(/cut\.parquet can't be read as parquet/);
  });
});

describe('neighbours', () => {
  test("Python's webdataset, pyarrow and exifread agree", async (context) => {
    const python = requirePython(context, 'webdataset', 'pyarrow', 'exifread');
    const { connectTo } = await pictureServer();
    const folder = await temporaryFolder();
    const input = await writeLinks(join(folder, 'links.parquet'), [...links(3), { url: 'http://pictures.test/gone', text: 'gone' }]);
    const { output } = await runDownload(input, { connectTo, minBytes: 0 });
    await writeFile(join(folder, 'original.jpg'), await picture(1));
    const read = JSON.parse(
      python(
        `
import sys, json, io, webdataset, exifread, pyarrow.parquet as pq
tar, parquet, original = sys.argv[1:]
samples = []
for s in webdataset.WebDataset(tar, shardshuffle=False):
    meta = json.loads(s["json"])
    samples.append([s["__key__"], s["txt"].decode(), str(meta["hash"]), json.dumps(meta, indent=4) == s["json"].decode(), len(s["jpg"]) > 100])
table = pq.read_table(parquet)
exif = {k: str(v).strip() for k, v in exifread.process_file(open(original, "rb"), details=False).items()}
print(json.dumps({"samples": samples, "schema": [[f.name, str(f.type), f.nullable] for f in table.schema], "hashes": [str(h) for h in table["hash"].to_pylist()], "status": table["status"].to_pylist(), "exif": exif}))
`,
        [join(output, '00000.tar'), join(output, '00000.parquet'), join(folder, 'original.jpg')],
      ),
    ) as { samples: unknown[]; schema: unknown[]; hashes: string[]; status: string[]; exif: Record<string, string> };
    const hashes = links(3).map(({ url, text }) => String(sampleHash(url, text)));
    expect(read.samples).toEqual(links(3).map(({ text }, i) => [`00000000${i}`, text, hashes[i], true, true]));
    expect(read.hashes.slice(0, 3)).toEqual(hashes);
    expect(read.status).toEqual(['success', 'success', 'success', 'failed_to_download']);
    expect(read.schema).toContainEqual(['hash', 'int64', false]);
    expect(read.schema).toContainEqual(['width', 'int32', true]);
    const ours = JSON.parse((await rowsOf(join(output, '00000.parquet')))[1]!.exif!) as Record<string, string>;
    // Single bytes, which exifread-nocycle, the one of img2dataset, reads as 0.
    const singleBytes = ['EXIF ExifVersion', 'EXIF FlashPixVersion', 'EXIF ComponentsConfiguration'];
    for (const name of singleBytes) delete read.exif[name];
    for (const name of singleBytes) delete ours[name];
    expect(ours).toEqual(read.exif);
  }, 120_000);
});
