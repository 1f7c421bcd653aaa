import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { recogniseInput } from '../../src/cli/recognise-input.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pairmill-recognise-'));
  onTestFinished(() => rm(folder, { recursive: true }));
});

const put = async (name: string, content: string | Uint8Array = ''): Promise<string> => {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
};
const recognise = (path: string) => recogniseInput(path, {});
const jpeg = Buffer.from('ffd8ffe000104a46494600010101', 'hex');
const tar = Buffer.concat([Buffer.alloc(257), Buffer.from('ustar\0'), Buffer.alloc(249)]);

test.each([
  [
    'a list',
    'mine',
    'url,caption,x\nhttp://a.test/1.jpg,cat,1\n',
    { kind: 'list', texts: true },
    'a list of links (csv; the URL is in url, the text in caption; 1 further column comes along)',
  ],
  [
    'a packed list',
    'mine.bin',
    gzipSync('{"image_url":"http://a.test/1.jpg"}\n'),
    { kind: 'list', texts: false },
    'a list of links (jsonl, gzip; the URL is in image_url, there is no text)',
  ],
  [
    'URLs',
    'urls.txt',
    'http://a.test/1.jpg\nhttp://a.test/2.jpg\n',
    { kind: 'list', texts: false },
    'a list of links (txt; the URL is in url, there is no text)',
  ],
  ['a WARC, whatever its name', 'archive.bin', gzipSync('WARC/1.0\r\nWARC-Type: response\r\n'), { kind: 'crawl' }, 'a crawl file (WARC, WAT)'],
  ['a crawl file by its name', 'a.warc.wat.gz', '', { kind: 'crawl' }, 'a crawl (WARC or WAT files)'],
  ['a tar', 'a.bin', tar, { kind: 'pictures' }, 'a webdataset tar'],
])('%s', async (_, name, content, kind, what) => {
  expect(await recognise(await put(name, content))).toEqual({ ...kind, what });
});

test.each([
  ['pictures', ['a.jpg', 'b/c.PNG', 'a.txt'], { kind: 'pictures', what: 'a folder of 2 pictures, 1 with a text or json beside them' }],
  ['tars', ['one.tar', 'two.tar'], { kind: 'pictures', what: '2 files, the first a webdataset tar' }],
  ['img2dataset’s shards', ['00000.tar', '00000.parquet', '00000_stats.json'], { kind: 'dataset', dataset: 'samples', what: '1 shard of img2dataset' }],
  [
    'embeddings',
    ['img_emb/img_emb_0.npy', 'metadata/metadata_0.parquet'],
    { kind: 'dataset', dataset: 'embeddings', what: "embeddings in clip-retrieval's layout" },
  ],
])('a folder of %s', async (_, files, expected) => {
  for (const file of files) await put(file, file.endsWith('.tar') ? tar : file.endsWith('.json') ? '{"count": 1}' : jpeg);
  expect(await recognise(folder)).toEqual(expected);
});

test.each([
  ['a.jpg', jpeg, 'a.jpg is a single picture. Give the folder that it lies in.'],
  ['a.npy', Buffer.from('\x93NUMPY\x01\0', 'latin1'), 'a.npy is a file of vectors. Give the folder that holds img_emb/ or text_emb/.'],
  ['a.exe', Buffer.from('4d5a90000300000004000000ffff0000', 'hex'), 'a.exe is none of the files that Pairmill reads'],
  [
    'latin.csv',
    Buffer.from(`url,caption\n${'http://a.test/1.jpg,caf\xe9\n'.repeat(20)}`, 'latin1'),
    'latin.csv is a text whose encoding is not UTF-8. Convert it: iconv',
  ],
  ['wide.csv', Buffer.from('\uFEFFurl,caption\n', 'utf16le'), 'wide.csv is a text whose encoding is not UTF-8 but UTF-16. Convert it'],
  ['empty.csv', Buffer.alloc(0), 'empty.csv is empty: 0 bytes'],
  ['captions.csv', Buffer.from('file,caption\na.jpg,cat\n'), 'has no column with URLs. Its columns are file, caption.'],
])('%s is refused by what it is', async (name, content, message) => {
  await expect(recognise(await put(name, content))).rejects.toThrow(message);
});

test('the folder of a run, and nothing at all', async () => {
  await put('run/run.json', '{}');
  await expect(recognise(join(folder, 'run'))).rejects.toThrow('is the folder of a run');
  await put('vectors/img_emb_0.npy', '');
  await expect(recognise(join(folder, 'vectors'))).rejects.toThrow('holds img_emb_0.npy itself. Vectors of pictures lie in img_emb/');
  await put('other/notes.md', '');
  await expect(recognise(join(folder, 'other'))).rejects.toThrow(/^The folder .*other holds no file\./);
  await expect(recognise(join(folder, 'none'))).rejects.toThrow('No file matches');
});
