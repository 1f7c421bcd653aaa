import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parquetColumns, readParquet } from '../../../src/formats/parquet.ts';
import { findClassifier } from '../../../src/models/classifiers/find-classifier.ts';
import { openTextClassifier } from '../../../src/models/classifiers/open-classifier.ts';
import { embed } from '../../../src/stages/embed/embed.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { tag } from '../../../src/stages/tag/tag.ts';
import { writeSamplesShard } from '../emoji-samples.ts';
import { runOneStage } from '../run-one-stage.ts';

const captions = [
  { icon: 'dog-face', caption: 'a bloody dog', language: 'en' },
  { icon: 'pizza', caption: 'Verdammte Pizza', language: 'de' },
  { icon: 'red-apple', caption: 'bloodyminded apple', language: 'en' },
  { icon: 'red-heart', caption: 'verdammt', language: 'fr' },
  { icon: 'bicycle', caption: 'verdammt', language: '' },
];
const textModel = new URL('../../models/fixtures/tiny-bert', import.meta.url).pathname;

let run: string;
beforeAll(async () => {
  run = await mkdtemp(join(tmpdir(), 'tag-captions-'));
  await writeSamplesShard(join(run, 'samples'), '00000', captions);
  await runOneStage(filter, run, { model: 'mini', threshold: -1 });
  await runOneStage(embed, run, { model: 'mini' });
  await writeFile(join(run, 'words.yaml'), 'en: [bloody]\nde: ["verdammt*"]\n');
});
afterAll(() => rm(run, { recursive: true, force: true }));

const tags = (): Promise<Record<string, number | bigint | null>[]> => Array.fromAsync(readParquet(join(run, 'tags/00000.parquet')));

test('a text model fills a column for each label from the captions, without tars', async () => {
  await rm(join(run, 'pairs/00000.tar'));
  await runOneStage(tag, run, { model: 'mini', heads: ['is_face'], textModels: [textModel], batchSize: 2 });
  const settings = { cacheFolder: run, hubUrl: '', threads: 1 };
  const found = await findClassifier(textModel, 'texts', settings);
  const model = await openTextClassifier(found, settings);
  const expected = (await model.encode(captions.map(({ caption }) => caption))) as Float32Array[];
  await model.close();
  const columns = found.classifier.columns.map(({ name }) => name);
  expect(await parquetColumns(join(run, 'tags/00000.parquet'))).toEqual(['hash', 'pface', ...columns]);
  expect((await tags()).map((row) => columns.map((name) => row[name]))).toEqual(expected.map((scores) => [...scores]));
});

test('a word list marks captions by the words of their language and of English, and by all where there is none', async () => {
  const options = { model: 'mini', heads: ['is_face'], captionWordList: join(run, 'words.yaml') };
  const { shards } = await runOneStage(tag, run, options, { redo: true });
  expect((await tags()).map((row) => row['caption_word_list'])).toEqual([1, 1, 0, 0, 1]);
  expect(Object.keys(shards[0]!.made_by.models)).toContain('caption-word-list');
  await writeFile(join(run, 'words.yaml'), 'en: [dog]\n');
  await expect(runOneStage(tag, run, options)).rejects.toThrow(/model file caption-word-list was .*, is/);
  await writeFile(join(run, 'words.yaml'), 'English: [dog]\n');
  await expect(runOneStage(tag, run, options)).rejects.toThrow(/--caption-word-list .*words\.yaml is not understood: .*English/);
});
