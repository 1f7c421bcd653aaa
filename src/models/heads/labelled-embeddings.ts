import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { messageOf, systemCode, UsageError } from '../../contracts/errors.ts';
import { openWorkDatabase, sqlName, sqlText, type WorkDatabase } from '../../formats/duckdb.ts';
import { npyShape, readNpyRows } from '../../formats/npy.ts';
import { parquetColumns } from '../../formats/parquet.ts';
import type { LabelledRows } from './train-head.ts';

export const splits = ['train', 'validation', 'test'] as const;
export type Split = (typeof splits)[number];

export interface LabelSettings {
  /** csv, tsv, json, jsonl or Parquet with a column `label`, one that names the picture, and perhaps `split`. */
  labels: string;
  /** A folder in clip-retrieval's layout. */
  embeddings: string;
  /** The label that counts as yes; the others are no. Without it, labels are 1 or 0, true or false, yes or no. */
  positive: string | undefined;
  seed: number;
  /** Of the rows without a split: how many become test, and how many validation rows. */
  testShare: number;
  validationShare: number;
}

export interface LabelledEmbeddings {
  /** How labels and embeddings were matched: the first of these columns that both have. */
  column: string;
  rows: Record<Split, LabelledRows & { keys: string[] }>;
  /** Labels without an embedding, and pictures with two different labels: neither is used. */
  unmatched: number;
  contradicting: number;
}

const identities = ['hash', 'key', 'image_path', 'url'];

/**
 * Labels with the embeddings of their pictures, cut into training, validation and test rows: by the column `split` where there is one, else by a
 * seeded hash of the identity, so that a row's part does not depend on the others. Throws UsageError for labels that can't be used.
 */
export async function labelledEmbeddings(settings: LabelSettings): Promise<LabelledEmbeddings> {
  const { labels, embeddings } = settings;
  const parts = await partNames(embeddings);
  const scratch = await mkdtemp(join(tmpdir(), 'pairmill-labels-'));
  const database = await openWorkDatabase(join(scratch, 'duckdb'), { memoryMb: 1024, threads: 1 });
  try {
    await database.run(`CREATE TABLE labels AS SELECT * FROM ${await labelSource(database, labels)}`);
    const given = (await database.all<{ column_name: string }>('DESCRIBE labels')).map(({ column_name }) => column_name);
    const known = await parquetColumns(metadataPath(embeddings, parts[0]!));
    const column = identities.find((name) => given.includes(name) && known.includes(name));
    if (!given.includes('label') || column === undefined)
      throw new UsageError(
        `${labels} has the columns ${given.join(', ')}. It needs label, and one of ${identities.filter((name) => known.includes(name)).join(', ')}, by which the embeddings know their pictures.`,
      );
    const files = parts.map((part) => sqlText(metadataPath(embeddings, part))).join(', ');
    await database.run(`CREATE TABLE known AS
      SELECT ${sqlName(column)}::VARCHAR AS identity, label::VARCHAR AS label, ${given.includes('split') ? 'split::VARCHAR' : 'NULL::VARCHAR'} AS split FROM labels`);
    const [{ contradicting } = { contradicting: 0n }] = await database.all<{ contradicting: bigint }>(
      'SELECT count(*) AS contradicting FROM (SELECT identity FROM known GROUP BY identity HAVING count(DISTINCT label) > 1)',
    );
    const matched = await database.all<Matched>(`
      SELECT identity, any_value(label) AS label, any_value(split) AS split, min(filename) AS file, arg_min(row, filename) AS row
      FROM known JOIN (SELECT ${sqlName(column)}::VARCHAR AS identity, filename, file_row_number AS row FROM read_parquet([${files}], filename = true, file_row_number = true)) USING (identity)
      GROUP BY identity HAVING count(DISTINCT label) = 1 ORDER BY identity`);
    const [{ n } = { n: 0n }] = await database.all<{ n: bigint }>('SELECT count(DISTINCT identity) AS n FROM known');
    const splitOf = await splitter(database, settings);
    const rows = {} as LabelledEmbeddings['rows'];
    for (const split of splits)
      rows[split] = await rowsOf(
        matched.filter((row) => splitOf(row) === split),
        embeddings,
        parts,
        settings,
      );
    return { column, rows, unmatched: Number(n) - matched.length - Number(contradicting), contradicting: Number(contradicting) };
  } finally {
    await database.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Matched {
  identity: string;
  label: string | null;
  split: string | null;
  file: string;
  row: bigint;
}

const metadataPath = (folder: string, part: string): string => join(folder, 'metadata', `metadata_${part}.parquet`);

async function partNames(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'metadata')).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return [];
    throw error;
  });
  const parts = names.flatMap((name) => /^metadata_(\d+)\.parquet$/.exec(name)?.[1] ?? []).sort();
  if (parts.length === 0)
    throw new UsageError(`${folder} holds no embeddings (metadata/metadata_NNNNN.parquet and img_emb/). Make them with embed, or name another folder.`);
  return parts;
}

function readerOf(path: string): string {
  const kind = extname(path).toLowerCase();
  if (kind === '.parquet') return `read_parquet(${sqlText(path)})`;
  if (/^\.(json|jsonl|ndjson)$/.test(kind)) return `read_json_auto(${sqlText(path)})`;
  return `read_csv(${sqlText(path)}, header = true)`;
}

async function labelSource(database: WorkDatabase, path: string): Promise<string> {
  const source = readerOf(path);
  try {
    await database.all(`SELECT * FROM ${source} LIMIT 1`);
  } catch (error) {
    throw new UsageError(`The labels ${path} can't be read: ${messageOf(error).split('\n')[0]}. Give csv, tsv, json, jsonl or Parquet.`, { cause: error });
  }
  return source;
}

/** The part of each row. */
async function splitter(database: WorkDatabase, { seed, testShare, validationShare, labels }: LabelSettings): Promise<(row: Matched) => Split> {
  const shares = new Map<string, number>();
  // 48 bits: what a double holds.
  for (const { identity, part } of await database.all<{ identity: string; part: bigint }>(
    `SELECT DISTINCT identity, ('0x' || left(md5(${sqlText(`${seed} `)} || identity), 12))::BIGINT AS part FROM known`,
  ))
    shares.set(identity, Number(part) / 2 ** 48);
  const cut = (identity: string, test: number): Split => {
    const share = shares.get(identity)!;
    if (share < test) return 'test';
    return share < test + validationShare ? 'validation' : 'train';
  };
  const names: Readonly<Record<string, Split>> = { test: 'test', validation: 'validation', val: 'validation', valid: 'validation' };
  const [{ validation } = { validation: 0n }] = await database.all<{ validation: bigint }>(
    `SELECT count(*) AS validation FROM known WHERE lower(split) IN ('validation', 'val', 'valid')`,
  );
  return ({ identity, split }) => {
    if (split === null) return cut(identity, testShare);
    const named = names[split.toLowerCase()];
    if (named === undefined && split.toLowerCase() !== 'train')
      throw new UsageError(`${labels} has the split ${JSON.stringify(split)}; train, validation and test are known.`);
    // Labels that come as train and test only: some of train are held back to see when to stop.
    return named ?? (validation > 0n ? 'train' : cut(identity, 0));
  };
}

async function rowsOf(
  matched: readonly Matched[],
  folder: string,
  parts: readonly string[],
  { positive, labels }: LabelSettings,
): Promise<LabelledRows & { keys: string[] }> {
  const ordered = matched.toSorted((a, b) => (a.file === b.file ? Number(a.row - b.row) : a.file < b.file ? -1 : 1));
  const blocks: Float32Array[] = [];
  let dimensions = 0;
  for (const part of parts) {
    const images = join(folder, 'img_emb', `img_emb_${part}.npy`);
    const numbers = ordered.filter(({ file }) => file === metadataPath(folder, part)).map(({ row }) => Number(row));
    dimensions = (await npyShape(images)).dimensions;
    blocks.push(await readNpyRows(images, numbers));
  }
  const values = new Float32Array(ordered.length * dimensions);
  let at = 0;
  for (const block of blocks) {
    values.set(block, at);
    at += block.length;
  }
  return { dimensions, values, labels: Uint8Array.from(ordered, ({ label }) => isYes(label, positive, labels)), keys: ordered.map(({ identity }) => identity) };
}

function isYes(label: string | null, positive: string | undefined, path: string): number {
  if (positive !== undefined) return label === positive ? 1 : 0;
  if (/^(1|true|yes)$/i.test(label ?? '')) return 1;
  if (/^(0|false|no)$/i.test(label ?? '')) return 0;
  throw new UsageError(`${path} has the label ${JSON.stringify(label)}. Labels are 1 or 0, true or false, yes or no; else --positive says which one is yes.`);
}
