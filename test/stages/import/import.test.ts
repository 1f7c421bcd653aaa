import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { z } from 'zod';
import { recogniseInput } from '../../../src/cli/recognise-input.ts';
import type { Sample } from '../../../src/contracts/records.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { readSamples } from '../../../src/formats/webdataset.ts';
import { importPictures } from '../../../src/stages/import/import.ts';
import type { importOptions } from '../../../src/stages/import/options.ts';
import { wordsOfName } from '../../../src/stages/import/own-picture.ts';
import { environmentOf } from '../../storage/aws-environment.ts';
import { startS3Server } from '../../storage/s3-server.ts';
import { allRows, digests, runOneStage } from '../run-one-stage.ts';

let base: string;
let photos: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-import-'));
  photos = join(base, 'photos');
  onTestFinished(() => rm(base, { recursive: true }));
});

type Row = Sample & Record<string, unknown>;
const picture = (format: 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' = 'jpeg', width = 40, height = 30): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: '#c33' } })
    .toFormat(format)
    .toBuffer();
const put = async (path: string, content: string | Uint8Array): Promise<void> => {
  await mkdir(dirname(join(photos, path)), { recursive: true });
  await writeFile(join(photos, path), content);
};
const run = async (input = photos, options: z.input<typeof importOptions> = {}) => {
  const result = await runOneStage(importPictures, join(base, 'run'), { languageDetector: 'none', ...options }, { input });
  const members = new Map<string, Map<string, Uint8Array>>();
  for (const shard of result.shards)
    for await (const sample of readSamples(join(base, 'run/samples', `${shard.shard}.tar`))) members.set(sample.key, sample.members);
  return { ...result, rows: await allRows<Row>(join(base, 'run/samples')), members };
};
const tarOf = async (name: string, members: Record<string, string | Uint8Array>): Promise<string> => {
  const tar = pack();
  for (const [member, content] of Object.entries(members)) tar.entry({ name: member }, Buffer.from(content));
  tar.finalize();
  await mkdir(base, { recursive: true });
  await pipeline(tar, createWriteStream(join(base, name)));
  return join(base, name);
};

describe('a folder of pictures', () => {
  test('pictures of all folders in the order of their paths, under keys of ours, their bytes as they are', async () => {
    const bytes = await picture();
    await put('b/dog.jpg', bytes);
    await put('a.PNG', await picture('png'));
    await put('.hidden/c.jpg', bytes);
    await put('notes.md', 'no picture');
    const { rows, members, summary } = await run();
    expect(summary).toMatchObject({ in: 2, out: 2, dropped: {} });
    expect(rows.map(({ key, url, status, width, height }) => ({ key, url, status, width, height }))).toEqual([
      { key: '000000000', url: 'a.PNG', status: 'success', width: 40, height: 30 },
      { key: '000000001', url: 'b/dog.jpg', status: 'success', width: 40, height: 30 },
    ]);
    expect([...members.get('000000001')!.keys()]).toEqual(['jpg', 'json', 'txt']);
    expect(Buffer.from(members.get('000000001')!.get('jpg')!).equals(bytes)).toBe(true);
    expect(rows[1]!.hash).toBe(sampleHash('b/dog.jpg', 'dog'));
  });

  test('a folder of a bucket is packed as one of this machine', async () => {
    const server = await startS3Server();
    await put('b/dog.jpg', await picture());
    await put('b/dog.txt', 'a dog');
    await put('a.PNG', await picture('png'));
    await put('.hidden/c.jpg', await picture());
    await put('metadata.csv', 'file_name,text,shop\na.PNG,from the list,one\n');
    for (const path of ['b/dog.jpg', 'b/dog.txt', 'a.PNG', '.hidden/c.jpg', 'metadata.csv'])
      server.objects.set(`photos/${path}`, await readFile(join(photos, path)));
    server.objects.set('photos/b/', Buffer.alloc(0));
    const input = 's3://crawl/photos/';
    const environment = environmentOf(server);
    expect(await recogniseInput(input, environment)).toMatchObject({
      kind: 'pictures',
      what: 'a folder of 2 pictures, 1 with a text or json beside them, with texts in metadata.csv',
    });
    const options = importPictures.options.parse({ languageDetector: 'none' });
    const far = await runOneStage(importPictures, join(base, 'far'), options, { input, environment });
    expect(far.summary).toMatchObject({ in: 2, out: 2, dropped: {} });
    const { rows } = await run();
    expect(rows.map(({ caption, shop }) => [caption, shop])).toEqual([['from the list', 'one'], ['a dog', null]]); // prettier-ignore
    expect(await digests(join(base, 'far/samples'))).toEqual(await digests(join(base, 'run/samples')));
    // Another picture is another shard; the first stays.
    server.objects.set('photos/z.jpg', await readFile(join(photos, 'b/dog.jpg')));
    const more = await runOneStage(importPictures, join(base, 'far'), options, { input, environment });
    expect([more.made, more.kept]).toEqual([['00001'], ['00000']]);
  });

  test('texts: json before txt before the name of the file; what else the json knows comes along', async () => {
    for (const name of ['1_json', '2_txt', '3_a-red_house', 'IMG_2041']) await put(`${name}.jpg`, await picture());
    await put('1_json.json', JSON.stringify({ caption: 'of the json', stars: 4, lang: 'DE', tags: ['x'], similarity: 0.5 }));
    await put('1_json.txt', 'not this');
    await put('2_txt.txt', Buffer.from(' café of the txt\n', 'latin1'));
    const { rows } = await run();
    expect(rows.map(({ caption }) => caption)).toEqual(['of the json', 'café of the txt', 'a red house', '']);
    expect(rows[0]).toMatchObject({ stars: 4n, tags: '["x"]', input_similarity: 0.5, language: 'de' });
    expect(rows[1]).toMatchObject({ stars: null, tags: null });
  });

  test.each(['metadata.csv', 'captions.tsv'])('texts of a list %s in the folder', async (name) => {
    const sign = name.endsWith('tsv') ? '\t' : ',';
    await put('a/x.jpg', await picture());
    await put('b/x.jpg', await picture());
    await put('b/y.jpg', await picture());
    const rows = [
      ['file_name', 'text', 'year'],
      ['a/x.jpg', 'first', '1999'],
      ['./b/x.jpg', 'second', '2000'],
      ['y', 'third', '2001'],
    ];
    await put(name, rows.map((row) => row.join(sign)).join('\n'));
    expect((await run()).rows.map(({ caption, year }) => [caption, year])).toEqual([
      ['first', '1999'],
      ['second', '2000'],
      ['third', '2001'],
    ]);
  });

  test('--captions, with other names of the columns', async () => {
    await put('x.jpg', await picture());
    const list = join(base, 'list.csv');
    await writeFile(list, 'picture,words\nx.jpg,a cat\n');
    await expect(run(photos, { captions: list })).rejects.toThrow('Its columns are picture, words. Name it with --file-col.');
    expect((await run(photos, { captions: list, fileCol: 'picture', captionCol: 'words' })).rows).toMatchObject([{ caption: 'a cat' }]);
  });

  test('large pictures are made smaller, other formats become JPEG, EXIF turns them', async () => {
    await put('1.tiff', await picture('tiff'));
    await put('2.jpg', await picture('jpeg', 2000, 1000));
    await put(
      '3.jpg',
      await sharp(await picture('jpeg', 60, 20))
        .withMetadata({ orientation: 6 })
        .jpeg()
        .toBuffer(),
    );
    const { rows, members } = await run();
    expect(rows.map(({ width, height, original_width, original_height }) => [width, height, original_width, original_height])).toEqual([
      [40, 30, 40, 30],
      [512, 256, 2000, 1000],
      [20, 60, 20, 60],
    ]);
    expect([...members.values()].every((each) => each.has('jpg'))).toBe(true);
  });

  test('a broken picture costs itself', async () => {
    const bytes = await picture('jpeg', 300, 300);
    await put('1.jpg', bytes.subarray(0, bytes.length - 400));
    await put('2.jpg', 'hello');
    await put('3.jpg', bytes);
    await put('4.png', await picture('png', 300, 300));
    await put('5.jpg', bytes);
    await put('5.json', '{');
    await put('6.jpg', '');
    const { summary, rows } = await run(photos, { maxPixels: 90_000 });
    expect(summary).toMatchObject({ in: 6, out: 2, dropped: { 'decode-failed': 1, 'not-an-image': 2, 'broken-json': 1 } });
    expect(rows.map(({ status }) => status)).toEqual(['failed_to_resize', 'failed_to_resize', 'success', 'success', 'failed_to_resize', 'failed_to_resize']);
  });

  test('pictures that come later fill new shards; those that go or change make theirs again', async () => {
    for (const name of ['a', 'c', 'e']) await put(`${name}.jpg`, await picture());
    const options = { numberSamplePerShard: 2 };
    expect((await run(photos, options)).made.sort()).toEqual(['00000', '00001']);
    await put('b.jpg', await picture());
    expect((await run(photos, options)).made).toEqual(['00002']);
    await put('c.txt', 'changed');
    await rm(join(photos, 'e.jpg'));
    const { made, rows } = await run(photos, options);
    expect(made).toEqual(['00000']);
    expect(rows.map(({ url, caption }) => `${url} ${caption}`.trim())).toEqual(['a.jpg', 'c.jpg changed', 'b.jpg']);
  });

  test('a moved folder is the same', async () => {
    await put('a.jpg', await picture());
    await run();
    await cp(photos, join(base, 'elsewhere'), { recursive: true });
    expect((await run(join(base, 'elsewhere'))).made).toEqual([]);
  });
});

describe('webdataset tars of any tool', () => {
  test('members in any order, with any names', async () => {
    const bytes = await picture();
    const tar = await tarOf('my tar.tar', {
      'train/cat 1.txt': 'a cat',
      'train/dog.json': JSON.stringify({ caption: 'a dog', url: 'http://a.test/dog.jpg', source: 'web' }),
      '._train': 'of macOS',
      'train/cat 1.jpg': bytes,
      'train/dog.PNG': await picture('png'),
      'readme.md': 'no sample',
      'train/none.txt': 'no picture',
      'v1.2.jpg': bytes,
      'v1.2.txt': 'a name with two dots',
    });
    const { rows, summary } = await run(tar);
    expect(summary).toMatchObject({ in: 3, out: 3 });
    expect(rows.map(({ key, url, caption, source }) => [key, url, caption, source])).toEqual([
      ['000000000', 'my tar.tar/train/cat 1.jpg', 'a cat', null],
      ['000000001', 'http://a.test/dog.jpg', 'a dog', 'web'],
      ['000000002', 'my tar.tar/v1.2.jpg', 'a name with two dots', null],
    ]);
  });

  test('one shard a tar, which keeps its number; a cut tar costs itself', async () => {
    const bytes = await picture();
    await tarOf('tars-b.tar', { 'x.jpg': bytes });
    await tarOf('tars-c.tar', { 'y.jpg': bytes });
    expect((await run(join(base, 'tars-*.tar'))).made.sort()).toEqual(['00000', '00001']);
    await tarOf('tars-a.tar', { 'z.jpg': bytes });
    expect((await run(join(base, 'tars-*.tar'))).made).toEqual(['00002']);
  });
});

test.each([
  ['IMG_2041.jpg', ''],
  ['a_red-house.jpg', 'a red house'],
  ['DSC00012.JPG', ''],
  ['3f786850e387550fdab836ed7e6dc881.png', ''],
  ['WhatsApp Image 2021-01-01.jpeg', ''],
  ['sub/old town (1).jpg', 'old town (1)'],
  ['猫の写真.jpg', '猫の写真'],
])('the words of %s', (name, words) => {
  expect(wordsOfName(name)).toBe(words);
});
