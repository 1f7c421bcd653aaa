import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Pair, withFurtherColumns } from '../../../src/contracts/records.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { writeMarker } from '../../../src/runtime/marker.ts';
import { digestOf } from '../../../src/runtime/shard-digest.ts';
import { LocalStorage } from '../../../src/storage/local-storage.ts';
import { checksum } from '../../../src/storage/checksum.ts';

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

export interface WrittenPairs {
  /** Columns of the user's own: their types, and their values by row. */
  further?: { types: Record<string, z.ZodType>; values: (row: Pair) => Record<string, unknown> };
  /** Where filter and tag found the model: another in each run. */
  modelFolder?: string;
}

/** Writes pairs/ and tags/ of a run: the rows by the shard that their key names, each shard with a marker. */
export async function writePairsAndTags(runDir: string, rows: readonly Pair[], { further, modelFolder = '/some/where' }: WrittenPairs = {}): Promise<void> {
  for (const folder of ['pairs', 'tags']) {
    await rm(join(runDir, folder), { recursive: true, force: true });
    await mkdir(join(runDir, folder), { recursive: true });
  }
  const schema = withFurtherColumns(Pair, further?.types ?? {}, 'first');
  for (const shard of new Set(rows.map(({ key }) => key.slice(0, 5)))) {
    const own = rows.filter(({ key }) => key.startsWith(shard)).sort((a, b) => (a.key < b.key ? -1 : 1));
    await writeParquet(
      join(runDir, 'pairs', `${shard}.parquet`),
      schema,
      own.map((row) => ({ ...further?.values(row), ...row })),
    );
    await writeParquet(
      join(runDir, 'tags', `${shard}.parquet`),
      Tags,
      own.map(({ hash }) => ({ hash, is_flag: Math.fround(Number(hash & 1023n) / 1023), punsafe: null })),
    );
    const made = { out: own.length, files: [`${shard}.parquet`], options: { model: `${modelFolder}/mini` }, models: { 'text_model.onnx': 'abc' } };
    await writeFixtureMarker(join(runDir, 'pairs'), 'filter', shard, made);
    await writeFixtureMarker(join(runDir, 'tags'), 'tag', shard, made);
  }
}

export interface FixtureShard {
  out: number;
  files: readonly string[];
  options: Record<string, unknown>;
  models: Record<string, string>;
}

/** The marker of a shard that lies there, as the runtime writes it. */
export async function writeFixtureMarker(folder: string, stage: string, shard: string, { out, files, options, models }: FixtureShard): Promise<void> {
  const written = await Promise.all(files.map(async (name) => ({ name, ...(await checksum(join(folder, name))) })));
  await writeMarker(new LocalStorage(folder), {
    stage,
    shard,
    in: out,
    out,
    dropped: {},
    duration: 1,
    start_time: 1,
    end_time: 2,
    files: written,
    digest: digestOf(written, {}),
    made_by: { format: 1, options, models, inputs: {} },
  });
}
