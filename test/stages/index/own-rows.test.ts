import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { IndexDescription } from '../../../src/contracts/index-description.ts';
import { IndexResponse, SearchResponse } from '../../../src/contracts/search-api.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { type KnnIndex, openIndex } from '../../../src/knn/open-index.ts';
import { serveOptions } from '../../../src/server/options.ts';
import { startServer } from '../../../src/server/start-server.ts';
import { index } from '../../../src/stages/index/index.ts';
import { release } from '../../../src/stages/release/release.ts';
import { pairRows, writePairsAndTags } from '../release/pair-rows.ts';
import { runOneStage, type StageRun } from '../run-one-stage.ts';
import { foreignVector, writeForeignEmbeddings } from './clip-retrieval-embeddings.ts';
import { writeEmbeddings } from './embedding-rows.ts';

let base: string;
beforeAll(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-own-rows-'))));
afterAll(() => rm(base, { recursive: true, force: true }));

/** Runs index over embeddings alone, in a run folder of its own, and opens what it made. */
async function indexAlone(name: string, options: Record<string, unknown> = {}): Promise<{ run: StageRun; opened: KnnIndex; runDir: string }> {
  const runDir = join(base, `${name}-run`);
  const run = await runOneStage(index, runDir, options, { input: join(base, name) });
  return { run, opened: await openIndex(join(runDir, 'index')), runDir };
}

const readDescription = async (runDir: string): Promise<IndexDescription> => JSON.parse(await readFile(join(runDir, 'index', 'index.json'), 'utf8'));
const text = z.string().nullable();

describe('embeddings of clip-retrieval, without a release', () => {
  test('ids are row numbers over the parts in the order of their names; hashes are made of url and caption', async () => {
    const part = (name: string, letters: string) => ({
      name,
      rows: [...letters].map((letter) => ({ image_path: `00000${letter}`, caption: `a ${letter}`, url: `http://h.test/${letter}` })),
    });
    // As text, "10" comes before "2".
    await writeForeignEmbeddings(join(base, 'order'), [part('0', 'ab'), part('1', 'c'), part('10', 'de'), part('2', 'f')], {
      columns: { image_path: text, caption: text, url: text },
    });
    const { run, opened } = await indexAlone('order');
    expect(run.summary).toMatchObject({ in: 6, out: 6, dropped: {} });
    const samples = await opened.samples([0, 1, 2, 3, 4, 5, 6]);
    expect(samples.map(({ id, caption }) => [id, caption])).toEqual([...'abcdef'].map((letter, id) => [id, `a ${letter}`]));
    expect(samples[3]).toMatchObject({
      hash: sampleHash('http://h.test/d', 'a d'),
      url: 'http://h.test/d',
      key: '00000d',
      width: null,
      height: null,
      similarity: null,
      language: '',
    });
    expect(await opened.byHash(sampleHash('http://h.test/f', 'a f'))).toMatchObject({ id: 5 });
    for (let id = 0; id < 6; id++) {
      const [best] = await opened.search(foreignVector(id, 'image'), { k: 1, modality: 'image' });
      expect(best!.id).toBe(id);
    }
    expect(opened.description).toMatchObject({ rows: 6, release: null, model: { id: '', sha256: {} }, languages: [], heads: [] });
    await opened.close();
  });

  test.each([
    ['float32', { type: '<f4' }, ['image', 'text']],
    ['pictures alone', { modalities: ['image'] }, ['image']],
    ['captions alone', { modalities: ['text'] }, ['text']],
  ] as const)('%s', async (name, how, modalities) => {
    await writeForeignEmbeddings(join(base, name), [{ name: '00000', rows: [{ caption: 'one' }, { caption: 'two' }] }], { ...how, columns: { caption: text } });
    const { opened } = await indexAlone(name);
    expect(Object.keys(opened.description.vectors)).toEqual(modalities);
    const [modality] = modalities;
    expect((await opened.search(foreignVector(1, modality), { k: 1, modality }))[0]).toMatchObject({ id: 1, score: expect.closeTo(1, 2) as number });
    expect((await opened.samples([1]))[0]).toMatchObject({ caption: 'two', url: '', key: '', hash: sampleHash('', 'two') });
    await opened.close();
  });

  test('no metadata at all: every row has a hash of its own', async () => {
    await writeForeignEmbeddings(join(base, 'bare'), [{ name: '0', rows: [{}, {}, {}] }]);
    await expect(indexAlone('bare', { model: 'mini' })).rejects.toThrow(
      /The model mini makes vectors of 256 values, and those of the embeddings have \d+\. .*--model/,
    );
    const { opened } = await indexAlone('bare');
    const samples = await opened.samples([0, 1, 2]);
    expect(new Set(samples.map(({ hash }) => hash)).size).toBe(3);
    expect(samples[2]).toMatchObject({ id: 2, url: '', caption: '', key: '', further: {} });
    await opened.close();
  });

  test('a path stands for the url that is not there; hash, sizes and language are taken where they are', async () => {
    await writeForeignEmbeddings(
      join(base, 'paths'),
      [
        {
          name: '0',
          rows: [
            { image_path: 'photos/a.jpg', caption: 'x', hash: null, WIDTH: 3, LANGUAGE: 'fi' },
            { image_path: 'photos/b.jpg', caption: 'x', hash: 77n, WIDTH: null, LANGUAGE: 'fi' },
          ],
        },
      ],
      {
        columns: { image_path: text, caption: text, hash: z.int64().nullable(), WIDTH: z.int32().nullable(), LANGUAGE: text },
      },
    );
    const { opened } = await indexAlone('paths');
    expect(await opened.samples([0, 1])).toMatchObject([
      { hash: sampleHash('photos/a.jpg', 'x'), key: 'photos/a.jpg', width: 3, language: 'fi' },
      { hash: 77n, key: 'photos/b.jpg', width: null },
    ]);
    expect(opened.description.languages).toEqual([{ language: 'fi', rows: 2 }]);
    await opened.close();
  });

  test('further columns come with the samples, whatever their names and types; numbers with a fraction narrow a search', async () => {
    const columns = {
      caption: text,
      'camera "x".1': text,
      views: z.int64().nullable(),
      good: z.boolean().nullable(),
      Width: z.number().nullable(),
      width: z.int32().nullable(),
      exif: text,
    };
    const rows = [
      { caption: 'one', 'camera "x".1': 'Leica', views: 2n ** 60n, good: true, Width: 0.25, width: 640, exif: '{}' },
      { caption: 'two', 'camera "x".1': null, views: null, good: null, Width: 0.75, width: null, exif: '{}' },
    ];
    await writeForeignEmbeddings(join(base, 'further'), [{ name: '0', rows }], { columns });
    const { opened } = await indexAlone('further');
    expect(await opened.samples([0, 1])).toMatchObject([
      { width: 640, tags: { Width: 0.25 }, further: { 'camera "x".1': 'Leica', views: 2n ** 60n, good: true } },
      { width: null, tags: { Width: 0.75 }, further: { 'camera "x".1': null, views: null, good: null } },
    ]);
    expect(Object.keys((await opened.samples([0]))[0]!.further)).toEqual(['camera "x".1', 'views', 'good']);
    const found = await opened.search(foreignVector(0, 'image'), { k: 5, modality: 'image', predicate: { minTags: { Width: 0.5 } } });
    expect(found.map(({ id }) => id)).toEqual([1]);
    await opened.close();
  });

  test('a column that only some parts have, and one that is of another type elsewhere', async () => {
    const folder = join(base, 'mixed');
    await writeForeignEmbeddings(folder, [{ name: '0', rows: [{ caption: 'one', code: 7 }] }], { columns: { caption: text, code: z.int32().nullable() } });
    const other = join(base, 'mixed-other');
    await writeForeignEmbeddings(other, [{ name: '1', rows: [{ caption: 'two', code: 'B7', place: 'Oulu' }] }], {
      columns: { caption: text, code: text, place: text },
    });
    await cp(other, folder, { recursive: true });
    const { opened } = await indexAlone('mixed');
    expect((await opened.samples([0, 1])).map(({ further }) => further)).toEqual([
      { code: '7', place: null },
      { code: 'B7', place: 'Oulu' },
    ]);
    await opened.close();
  });

  test('parts whose files do not fit together are refused by name', async () => {
    const folder = join(base, 'unfit');
    await writeForeignEmbeddings(folder, [{ name: '0', rows: [{ caption: 'one' }, { caption: 'two' }] }], { columns: { caption: text } });
    await writeForeignEmbeddings(join(base, 'longer'), [{ name: '0', rows: [{ caption: '' }, { caption: '' }, { caption: '' }] }], {
      columns: { caption: text },
    });
    await cp(join(base, 'longer', 'metadata'), join(folder, 'metadata'), { recursive: true });
    await expect(indexAlone('unfit')).rejects.toThrow(/metadata_0\.parquet has 3 rows and .*img_emb_0\.npy has 2.*do not belong together/);
    await rm(join(folder, 'metadata', 'metadata_0.parquet'));
    await writeFile(join(folder, 'metadata', 'metadata_1.parquet'), '');
    await expect(indexAlone('unfit')).rejects.toThrow(/Part 0 of the embeddings has no file in metadata\//);
  });
});

test('a vector that holds NaN costs its own row', async () => {
  const folder = join(base, 'nan');
  await writeForeignEmbeddings(folder, [{ name: '0', rows: [{}, {}, {}] }]);
  const file = join(folder, 'img_emb', 'img_emb_0.npy');
  const bytes = await readFile(file);
  // The last numbers of row 1.
  const end = bytes.length - foreignVector(0, 'image').length * 2;
  await writeFile(file, bytes.fill(0xff, end - 4, end));
  const { run, opened } = await indexAlone('nan');
  expect(run.summary).toMatchObject({ in: 3, out: 2, dropped: { 'not-finite': 1 } });
  expect((await opened.search(foreignVector(2, 'image'), { k: 3, modality: 'image' })).map(({ id }) => id).sort()).toEqual([0, 2]);
  await opened.close();
});

describe('with and without a release', () => {
  test('an index made without one becomes stale when a release is there, and has its rows then', async () => {
    const runDir = join(base, 'later');
    const rows = pairRows(30, (i) => String(i).padStart(9, '0'));
    await writePairsAndTags(runDir, rows.slice(0, 20));
    await writeEmbeddings(runDir, rows);
    const before = await runOneStage(index, runDir);
    expect(before.summary).toMatchObject({ in: 30, out: 30 });
    expect(Object.keys(before.shards[0]!.made_by.inputs)).toEqual(['embeddings']);
    expect((await runOneStage(index, runDir)).made).toEqual([]);
    const alone = await openIndex(join(runDir, 'index'));
    expect((await alone.samples([0, 29])).map(({ hash }) => hash)).toEqual([rows[0]!.hash, rows[29]!.hash]);
    expect(alone.description.model.id).toBe('mini');
    await alone.close();
    await runOneStage(release, runDir);
    const after = await runOneStage(index, runDir);
    expect(after.made).toEqual(['00000']);
    expect(after.summary).toMatchObject({ in: 20, out: 20 });
    expect(Object.keys(after.shards[0]!.made_by.inputs)).toEqual(['embeddings', 'release']);
    expect((await readDescription(runDir)).release).not.toBeNull();
  });

  test('--release that holds none is refused, and not taken for "no release"', async () => {
    const runDir = join(base, 'misnamed');
    await writeEmbeddings(
      runDir,
      pairRows(3, (i) => String(i).padStart(9, '0')),
    );
    await expect(runOneStage(index, runDir, { release: join(base, 'nowhere') })).rejects.toThrow(/--release .*nowhere holds no release/);
  });
});

test('serve answers from such an index without pairs, tags or a model: by its samples and by embeddings', async () => {
  const rows = ['one', 'two', 'three'].map((caption) => ({ caption, url: `http://h.test/${caption}.jpg`, mine: `${caption}!`, count: 5n }));
  await writeForeignEmbeddings(join(base, 'served'), [{ name: '0', rows }], { columns: { caption: text, url: text, mine: text, count: z.int64() } });
  const { opened, runDir } = await indexAlone('served');
  await opened.close();
  const server = await startServer(serveOptions.parse({ input: join(runDir, 'index'), port: 0 }));
  try {
    const described = IndexResponse.parse(await (await fetch(`${server.url}/api/v1/index`)).json());
    expect(described).toMatchObject({
      model: '',
      encodes: false,
      rows: 3,
      pictures: false,
      heads: [],
      languages: [],
      first: String(sampleHash('http://h.test/one.jpg', 'one')),
    });
    const alike = SearchResponse.parse(await (await fetch(`${server.url}/api/v1/search?like=${described.first}`)).json());
    expect(alike.results[0]).toMatchObject({ id: 0, caption: 'one', image: null, similarity: null, further: { mine: 'one!', count: 5 } });
    const unencoded = await fetch(`${server.url}/api/v1/search?text=one`);
    expect([unencoded.status, await unencoded.json()]).toEqual([400, { message: expect.stringMatching(/Nobody said which model.*--model/) as string }]);
    const body = JSON.stringify({ embedding_input: [...foreignVector(2, 'image')], modality: 'image', num_images: 1 });
    const found = (await (await fetch(`${server.url}/knn-service`, { method: 'POST', body })).json()) as unknown[];
    expect(found).toMatchObject([{ id: 2, caption: 'three', url: 'http://h.test/three.jpg', mine: 'three!', count: 5 }]);
  } finally {
    await server.close();
  }
});
