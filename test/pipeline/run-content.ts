import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Release } from '../../src/contracts/records.ts';
import { readNpyBatches } from '../../src/formats/npy.ts';
import { readParquet } from '../../src/formats/parquet.ts';
import { readSamples } from '../../src/formats/webdataset.ts';
import { openIndex } from '../../src/knn/open-index.ts';
import { rowsBelow } from './demo-run.ts';

const sha256 = (...parts: (string | Uint8Array)[]): string => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

/**
 * What two runs of the same input must share: candidates, links and release byte by byte; drawn links, samples, scores and vectors by
 * hash, since batches are drawn at random.
 */
export interface RunContent {
  candidates: Record<string, string>;
  links: Record<string, string>;
  drawn: Record<string, string>;
  samples: Record<string, string>;
  pairs: Record<string, string>;
  /** Of embeddings/. */
  vectors: Record<'image' | 'text', Record<string, string>>;
  tags: Record<string, string>;
  release: Record<string, string>;
  /** Of the index. */
  indexed: Record<'image' | 'text', Record<string, string>>;
}

export async function contentOf(runDir: string): Promise<RunContent> {
  return {
    candidates: await files(join(runDir, 'candidates')),
    links: await files(join(runDir, 'links')),
    drawn: await rows(join(runDir, 'batches')),
    samples: await tars(join(runDir, 'samples')),
    pairs: await tars(join(runDir, 'pairs')),
    vectors: { image: await vectors(runDir, 'img_emb'), text: await vectors(runDir, 'text_emb') },
    tags: await rows(join(runDir, 'tags')),
    release: await files(join(runDir, 'release')),
    indexed: { image: await indexed(runDir, 'image'), text: await indexed(runDir, 'text') },
  };
}

/** sha256 of every file below a folder but the markers, which hold times, and what lies beside the shards (_plan, _bloom, …). */
export async function files(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of (await readdir(folder, { recursive: true, withFileTypes: true })).filter(
    (each) => each.isFile() && !each.name.endsWith('_stats.json') && !/(?:^|\/)_/.test(join(each.parentPath, each.name).slice(folder.length + 1)),
  )) {
    const path = join(entry.parentPath, entry.name);
    found[path.slice(folder.length + 1)] = sha256(await readFile(path));
  }
  return Object.fromEntries(Object.entries(found).sort());
}

/** By hash: what a row has. */
async function rows(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { hash, ...rest } of rowsBelow<{ hash: bigint } & Record<string, unknown>>(folder)) {
    if (found[String(hash)] !== undefined) throw new Error(`${hash} is twice in ${folder}`);
    found[String(hash)] = JSON.stringify(rest, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  }
  return Object.fromEntries(Object.entries(found).sort());
}

/** By hash: the vector in the files of embeddings/, of which each row belongs to that of the metadata with its number. */
async function vectors(runDir: string, kind: 'img_emb' | 'text_emb'): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const folder = join(runDir, 'embeddings');
  for (const name of (await readdir(join(folder, 'metadata'))).filter((each) => each.endsWith('.parquet')).sort()) {
    const hashes: string[] = [];
    for await (const { hash } of readParquet<{ hash: bigint }>(join(folder, 'metadata', name), ['hash'])) hashes.push(String(hash));
    const part = name.replace('metadata', kind).replace('.parquet', '.npy');
    for await (const { start, rows } of readNpyBatches(join(folder, kind, part)))
      for (const [i, vector] of rows.entries()) found[hashes[start + i]!] = sha256(new Uint8Array(Float32Array.from(vector).buffer));
  }
  return Object.fromEntries(Object.entries(found).sort());
}

/** By hash: picture and caption bytes and the metadata, without the key, which is the batch's. */
async function tars(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.tar')).sort()) {
    for await (const { members } of readSamples(join(folder, name))) {
      const json = Buffer.from(members.get('json')!).toString();
      const hash = /"hash": (-?\d+)/.exec(json)![1]!;
      if (found[hash]) throw new Error(`${hash} is in two samples`);
      const rest = [...members].filter(([suffix]) => suffix !== 'json').flatMap(([suffix, bytes]) => [suffix, bytes]);
      found[hash] = sha256(json.replace(/"key": "\d+"/, ''), ...rest);
    }
  }
  return Object.fromEntries(Object.entries(found).sort());
}

/** By hash: the vector of the picture or the caption in the index, found through a search for exactly the rows of the release. */
async function indexed(runDir: string, modality: 'image' | 'text'): Promise<Record<string, string>> {
  const index = await openIndex(join(runDir, 'index'));
  try {
    const found: Record<string, string> = {};
    for await (const { hash, vector } of index.rows(modality)) found[String(hash)] = sha256(new Uint8Array(Float32Array.from(vector).buffer));
    const [released, embedded] = [new Set<string>(), await vectors(runDir, modality === 'image' ? 'img_emb' : 'text_emb')];
    for await (const { hash } of rowsBelow<Release>(join(runDir, 'release'), ['hash'])) if (embedded[String(hash)] !== undefined) released.add(String(hash));
    if (released.size !== Object.keys(found).length || Object.keys(found).some((hash) => !released.has(hash)))
      throw new Error('the index does not hold exactly the rows of the release');
    return Object.fromEntries(Object.entries(found).sort());
  } finally {
    await index.close();
  }
}
