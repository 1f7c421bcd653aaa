import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { systemCode, UsageError } from '../../contracts/errors.ts';
import { setNames } from '../../contracts/records.ts';
import type { Shard, ShardInput } from '../../contracts/stage.ts';
import { countParquetRows, parquetColumns, readParquetRange } from '../../formats/parquet.ts';
import { sampleHash } from '../../formats/sample-hash.ts';
import { publishedInputs } from '../../runtime/shard-inputs.ts';
import { type BatchSource, shardName } from './batch-source.ts';
import { completeLink, type LinkRow, type PartialLink } from './link-row.ts';
import type { DownloadOptions } from './options.ts';

type Options = Pick<DownloadOptions, 'numberSamplePerShard' | 'urlCol' | 'captionCol' | 'trustHash' | 'verifyHash'>;

interface InputFile {
  path: string;
  identity: string;
  rows: number;
}

/**
 * Batches of `numberSamplePerShard` links in the order of the files: one Parquet file, a folder of them, or a folder
 * of link shards in their sets (`en/00000.parquet` …). A batch may span files; only the last one is partial.
 */
export class ParquetBatches implements BatchSource {
  readonly #input: string;
  readonly #options: Options;

  constructor(input: string, options: Options) {
    this.#input = input;
    this.#options = options;
  }

  async *plan(): AsyncGenerator<Shard> {
    const size = this.#options.numberSamplePerShard;
    let parts: ShardInput[] = [];
    let filled = 0;
    let number = 0;
    for (const { path, identity, rows } of await listFiles(this.#input)) {
      for (let start = 0; start < rows;) {
        const end = Math.min(rows, start + size - filled);
        parts.push({ path, identity: `rows ${start} to ${end} of ${identity}` });
        filled += end - start;
        start = end;
        if (filled === size) {
          yield planned(number++, parts);
          parts = [];
          filled = 0;
        }
      }
    }
    if (filled > 0) yield planned(number, parts);
  }

  async read({ inputs }: Shard): Promise<LinkRow[]> {
    const links: LinkRow[] = [];
    for (const { path, identity } of inputs) {
      const [, start, end] = /^rows (\d+) to (\d+) /.exec(identity)!.map(Number) as [number, number, number];
      const columns = await this.#chooseColumns(path);
      for await (const row of readParquetRange(path, { start, end, columns: columns.all })) links.push(this.#link(row, columns, path));
    }
    return links;
  }

  async finished(): Promise<void> {}

  async #chooseColumns(path: string): Promise<Columns> {
    const present = await parquetColumns(path);
    const { urlCol, captionCol, verifyHash } = this.#options;
    const find = (wanted: string, option: string): string => {
      // LAION's files say URL where img2dataset's say url.
      const found = present.find((name) => name === wanted) ?? present.find((name) => name.toLowerCase() === wanted.toLowerCase());
      if (found === undefined) throw new UsageError(`${path} has no column ${wanted} (it has ${present.join(', ')}). Name it with ${option}.`);
      return found;
    };
    const url = find(urlCol, '--url-col');
    const text = captionCol === undefined ? ['text', 'TEXT', 'caption'].find((name) => present.includes(name)) : find(captionCol, '--caption-col');
    const expected = verifyHash === undefined ? undefined : find(verifyHash, '--verify-hash');
    const hash = present.includes('hash') ? 'hash' : undefined;
    const others = passedOn.filter((name) => present.includes(name));
    return { url, text, expected, hash, all: [...new Set([url, text, expected, hash, ...others].filter((name) => name !== undefined))] };
  }

  #link(row: Record<string, unknown>, columns: Columns, path: string): LinkRow {
    const url = row[columns.url];
    const text = columns.text === undefined ? '' : (row[columns.text] ?? '');
    if (typeof url !== 'string' || typeof text !== 'string')
      throw new UsageError(
        `${path}: ${columns.url} and ${columns.text} must be text, but a row has ${JSON.stringify(String(url))}. Name other columns with --url-col and --caption-col.`,
      );
    const computed = sampleHash(url, text);
    const given = columns.hash === undefined ? null : row[columns.hash];
    if (typeof given === 'bigint' && given !== computed && !this.#options.trustHash) {
      throw new UsageError(
        `${path}: the hash of ${url} is ${given} in the file, but ${computed} by its URL and text. Check --caption-col, or keep the file's with --trust-hash.`,
      );
    }
    const others = Object.fromEntries(passedOn.map((name) => [name, row[name]])) as Partial<PartialLink>;
    const expected = columns.expected === undefined ? undefined : String(row[columns.expected] ?? '');
    return { ...completeLink({ ...others, url, text, hash: typeof given === 'bigint' ? given : computed }), expectedSha256: expected?.toLowerCase() };
  }
}

/** The marker keeps identities by file name, which two sets share: so each names the whole batch. */
function planned(number: number, parts: readonly ShardInput[]): Shard {
  const digest = createHash('sha256');
  for (const { path, identity } of parts) digest.update(`${basename(path)} ${identity}\n`);
  const batch = digest.digest('hex').slice(0, 16);
  return { name: shardName(number), inputs: parts.map(({ path, identity }) => ({ path, identity: `${identity}, batch ${batch}` })) };
}

/** Columns of a link that are kept where the input has them. */
const passedOn = ['language', 'licence', 'uid', 'page_url', 'crawl_file', 'record_offset'] as const;

interface Columns {
  url: string;
  text: string | undefined;
  expected: string | undefined;
  hash: string | undefined;
  all: string[];
}

async function listFiles(input: string): Promise<InputFile[]> {
  let paths: { path: string; identity: string }[];
  const info = await stat(input).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') throw new UsageError(`The input ${input} does not exist. Name a Parquet file or a folder of them with --input.`);
    throw error;
  });
  if (!info.isDirectory()) paths = [{ path: input, identity: `${basename(input)} of ${info.size} bytes` }];
  else {
    const names = (await readdir(input)).sort();
    const sets = setNames.filter((set) => names.includes(set));
    if (sets.length > 0) paths = await linkShards(input, sets);
    else {
      const files = names.filter((name) => name.endsWith('.parquet'));
      if (files.length === 0) throw new UsageError(`The input folder ${input} holds no .parquet file. Name a Parquet file or a folder of them with --input.`);
      paths = await Promise.all(files.map(async (name) => ({ path: join(input, name), identity: `${name} of ${(await stat(join(input, name))).size} bytes` })));
    }
  }
  const files: InputFile[] = [];
  for (const each of paths) files.push({ ...each, rows: await countParquetRows(each.path) });
  return files;
}

/** Finished shards of dedup, set by set. */
async function linkShards(input: string, sets: readonly string[]): Promise<{ path: string; identity: string }[]> {
  const published = await publishedInputs(input, '.parquet');
  const paths = [];
  for (const set of sets) {
    const present = new Set(await readdir(join(input, set)));
    for (const { name, identity } of published) {
      const path = join(input, set, `${name}.parquet`);
      if (present.has(basename(path))) paths.push({ path, identity: `${relative(input, path)}, ${identity}` });
    }
  }
  return paths;
}
