import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Pair } from '../../../src/contracts/records.ts';
import { writeParquet } from '../../../src/formats/parquet.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';

/** A row of pairs/ with what the test says, and something plausible for the rest. */
export function pairRow(some: Partial<Pair> & { url: string; caption: string; key: string }): Pair {
  return {
    language: 'en',
    licence: null,
    hash: sampleHash(some.url, some.caption),
    uid: '',
    page_url: 'http://page.test/',
    crawl_file: 'crawl.wat.gz',
    record_offset: 0n,
    status: 'success',
    error_message: null,
    width: 300,
    height: 200,
    original_width: 600,
    original_height: 400,
    exif: null,
    sha256: null,
    similarity: 0.3,
    NSFW: null,
    ...some,
  };
}

const languages = ['en', 'de', '', 'zh', 'en'];

/** `n` rows in all sets; `keyOf` says in which shard and place each lies, as a random draw would. */
export function pairRows(n: number, keyOf: (i: number) => string): Pair[] {
  return Array.from({ length: n }, (_, i) =>
    pairRow({
      url: `http://host${i % 7}.test/${i}.jpg`,
      caption: `caption ${i} ☃`,
      key: keyOf(i),
      language: languages[i % languages.length]!,
      similarity: Math.fround(0.25 + (i % 50) / 100),
      width: 200 + 10 * i,
      licence: i % 3 === 0 ? 'https://creativecommons.org/licenses/by/4.0/' : null,
    }),
  );
}

const Tags = z.object({ hash: z.int64(), is_flag: z.float32().nullable(), punsafe: z.float32().nullable() });

/** Writes pairs/ and tags/ of a run: the rows by the shard that their key names, each shard with a marker. */
export async function writePairsAndTags(runDir: string, rows: readonly Pair[]): Promise<void> {
  for (const folder of ['pairs', 'tags']) await mkdir(join(runDir, folder), { recursive: true });
  for (const shard of new Set(rows.map(({ key }) => key.slice(0, 5)))) {
    const own = rows.filter(({ key }) => key.startsWith(shard)).sort((a, b) => (a.key < b.key ? -1 : 1));
    await writeParquet(join(runDir, 'pairs', `${shard}.parquet`), Pair, own);
    await writeParquet(
      join(runDir, 'tags', `${shard}.parquet`),
      Tags,
      own.map(({ hash }) => ({ hash, is_flag: Math.fround(Number(hash & 1023n) / 1023), punsafe: null })),
    );
    const marker = {
      stage: 'filter',
      shard,
      in: own.length,
      out: own.length,
      dropped: {},
      duration: 1,
      start_time: 1,
      end_time: 2,
      fingerprint: `f${shard}`,
      made_by: { format: 1, options: { model: '/some/where/mini' }, models: { 'text_model.onnx': 'abc' }, inputs: {} },
    };
    for (const folder of ['pairs', 'tags']) await writeFile(join(runDir, folder, `${shard}_stats.json`), JSON.stringify(marker));
  }
}
