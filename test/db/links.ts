import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { Link } from '../../src/contracts/records.ts';
import type { Database } from '../../src/db/client.ts';
import type { LinkFile } from '../../src/db/link-file.ts';
import { readBatch } from '../../src/db/read-batch.ts';
import { restColumns } from '../../src/db/rest-columns.ts';
import { writeParquet } from '../../src/formats/parquet-writer.ts';
import { sampleHash, sampleUid } from '../../src/formats/sample-hash.ts';

/** `count` links as dedup writes them, numbered from `from`. */
export function makeLinks(count: number, from = 0): Link[] {
  return Array.from({ length: count }, (_, index) => {
    const i = from + index;
    const [url, text] = [`https://host${i % 50}.test/${i}.jpg`, `picture ${i}`];
    return {
      url,
      text,
      language: 'en',
      language_confidence: Math.fround((i % 100) / 100),
      licence: null,
      hash: sampleHash(url, text),
      uid: sampleUid(url, text),
      page_url: `https://host${i % 50}.test/`,
      crawl_file: 'crawl.wat.gz',
      record_offset: BigInt(i) * 1_000n,
      words: 2,
      characters: text.length,
      alphanumeric_share: Math.fround(0.9),
      special_share: 0,
      repetition_share: Math.fround(1 / 3),
    };
  });
}

/** A file of links at `path`, of dedup's columns where no other schema is given. */
export async function linkFile<S extends z.ZodObject = typeof Link>(path: string, rows: readonly z.output<S>[], schema?: S, trusted = true): Promise<LinkFile> {
  await mkdir(dirname(path), { recursive: true });
  await writeParquet(path, schema ?? (Link as unknown as S), rows);
  return { path, name: 'links/00000.parquet', language: '', trusted };
}

/** The rows of a batch that is marked in the database. */
export async function batchRows(sql: Database, batch: number): Promise<Record<string, unknown>[]> {
  return Array.fromAsync(readBatch(sql, batch, await restColumns(sql)));
}

/** Links that wait to be drawn. */
export async function waiting(sql: Database): Promise<number> {
  const [counted] = await sql<{ live: bigint; rows: bigint }[]>`SELECT live, (SELECT count(*) FROM pairmill.links) AS rows FROM pairmill.staging`;
  if (counted!.live !== counted!.rows) throw new Error(`staging says ${counted!.live} links wait, but there are ${counted!.rows}`);
  return Number(counted!.live);
}
