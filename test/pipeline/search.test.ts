import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readManifestLinks } from '../../src/demo/manifest.ts';
import { type KnnIndex, openIndex } from '../../src/knn/open-index.ts';
import { type DualEncoder, loadModel } from '../../src/models/load-model.ts';
import { collect, demoRun, readJson, releaseRows } from './demo-run.ts';
import { pairmill, root } from './pairmill.ts';

/**
 * Recall of the whole: the label of an emoji as emojibase has it, in the index of a finished run, whose pictures are all
 * of a vendor that the model never saw. An emoji has several pictures and each picture several captions in the index, so
 * what is ranked are distinct emoji.
 */
const QUERIES_PER_LANGUAGE = 120;
const LANGUAGES = ['en', 'de', 'fr', 'ru', 'ja'];
/** The test's pictures and queries are a sample of those of the model card. */
const MARGIN = 4;

interface Evaluation {
  english: { recall_at_1: number; recall_at_10: number };
  languages: Record<string, { recall_at_1: number; recall_at_10: number }>;
}

let runDir: string;
let model: DualEncoder;
let evaluation: Evaluation;
/** Emoji of each released picture, by hash. */
const emojiOf = new Map<bigint, string>();
let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pairmill-search-'));
  runDir = await demoRun();
  evaluation = await readJson<Evaluation>(join(root, 'models/mini/evaluation.json'));
  const emojiByUrl = new Map((await collect(readManifestLinks(join(runDir, 'crawl')))).map(({ url, emoji }) => [url, emoji]));
  for (const { hash, URL } of await releaseRows(runDir)) {
    const emoji = emojiByUrl.get(URL);
    if (emoji) emojiOf.set(hash, emoji);
  }
  model = await loadModel('mini', { cacheFolder: scratch, hubUrl: 'http://127.0.0.1:9', threads: 1 });
}, 300_000);

afterAll(async () => {
  await model?.close();
  await rm(scratch, { recursive: true, force: true });
});

/** Every 1st, 2nd … of the emoji that the release shows, with their labels in a language. */
async function queriesIn(language: string): Promise<{ emoji: string; label: string }[]> {
  const records = await readJson<{ hexcode: string; label: string }[]>(join(root, 'node_modules/emojibase-data', language, 'data.json'));
  const shown = new Set(emojiOf.values());
  const all = records.filter(({ hexcode }) => shown.has(hexcode)).map(({ hexcode, label }) => ({ emoji: hexcode, label }));
  const step = Math.max(1, all.length / QUERIES_PER_LANGUAGE);
  return Array.from({ length: Math.min(all.length, QUERIES_PER_LANGUAGE) }, (_, i) => all[Math.floor(i * step)]!);
}

/** Percent of the queries whose emoji is among the first 1 and 10 distinct ones. */
async function recallIn(index: KnnIndex, language: string): Promise<{ recall_at_1: number; recall_at_10: number; queries: number }> {
  const queries = await queriesIn(language);
  const vectors = await model.encodeTexts(queries.map(({ label }) => label));
  let first = 0;
  let ten = 0;
  for (const [i, { emoji }] of queries.entries()) {
    const hits = await index.search(vectors[i] as Float32Array, { k: 400, modality: 'image', exact: true });
    const samples = await index.samples(hits.map(({ id }) => id));
    const ranked = [...new Set(samples.map(({ hash }) => emojiOf.get(hash) ?? String(hash)))];
    if (ranked[0] === emoji) first++;
    if (ranked.slice(0, 10).includes(emoji)) ten++;
  }
  return { recall_at_1: (100 * first) / queries.length, recall_at_10: (100 * ten) / queries.length, queries: queries.length };
}

test('the right emoji is found as often as the model card says', { timeout: 180_000 }, async () => {
  const index = await openIndex(join(runDir, 'index'));
  try {
    let queries = 0;
    for (const language of LANGUAGES) {
      const found = await recallIn(index, language);
      queries += found.queries;
      const stated = language === 'en' ? evaluation.english : evaluation.languages[language]!;
      expect(found.recall_at_1, `${language} recall@1`).toBeGreaterThanOrEqual(stated.recall_at_1 - MARGIN);
      expect(found.recall_at_10, `${language} recall@10`).toBeGreaterThanOrEqual(stated.recall_at_10 - MARGIN);
    }
    expect(queries).toBeGreaterThanOrEqual(200);
  } finally {
    await index.close();
  }
});

test('with the pictures’ vectors shuffled it is not found', { timeout: 180_000 }, async () => {
  const embeddings = join(scratch, 'embeddings');
  await cp(join(runDir, 'embeddings'), embeddings, { recursive: true });
  await rotateRows(join(embeddings, 'img_emb', 'img_emb_00000.npy'));
  for (let part = 1; ; part++) {
    const path = join(embeddings, 'img_emb', `img_emb_${String(part).padStart(5, '0')}.npy`);
    if (!(await readFile(path).catch(() => undefined))) break;
    await rotateRows(path);
  }
  const { code, err } = await pairmill(['index', '--release', join(runDir, 'release'), '--input', embeddings, '--output', join(scratch, 'index'), '--quiet']);
  expect(code, err).toBe(0);
  const index = await openIndex(join(scratch, 'index'));
  try {
    expect((await recallIn(index, 'en')).recall_at_10).toBeLessThan(25);
  } finally {
    await index.close();
  }
});

/** Gives every row the vector of another: half the file further on. */
async function rotateRows(path: string): Promise<void> {
  const bytes = await readFile(path);
  const start = 10 + bytes.readUInt16LE(8);
  const [, rows, dimensions] = /\((\d+), (\d+)\)/.exec(bytes.toString('latin1', 0, start))!.map(Number);
  const half = start + Math.floor(rows! / 2) * dimensions! * 2;
  await writeFile(path, Buffer.concat([bytes.subarray(0, start), bytes.subarray(half), bytes.subarray(start, half)]));
}
