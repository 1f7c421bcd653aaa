import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type Table } from '@lancedb/lancedb';
import { systemCode, UsageError } from '../contracts/errors.ts';
import { IndexDescription, type IndexedSample, type Modality } from '../contracts/index-description.ts';
import { FlatVectors } from './flat-vectors.ts';
import { type KnnPredicate, predicateSql } from './predicate.ts';
import { cappedSession } from './session.ts';
import { furtherColumn, scalarColumns, TABLE, tagColumn } from './index-schema.ts';
import { type Hit, type SearchTarget, searchVectors } from './search.ts';

export interface SearchOptions {
  /** How many results; fewer come where fewer pass the predicate. */
  k: number;
  modality: Modality;
  predicate?: KnnPredicate | undefined;
  /** Lists to look into; more find more and take longer. */
  nprobes?: number | undefined;
  /** Compare with every vector whatever the index. */
  exact?: boolean | undefined;
}

/** An index opened for reading; safe for concurrent calls. */
export interface KnnIndex {
  readonly description: IndexDescription;
  /** Neighbours of a vector (normalised here). Throws RangeError where its length is not `dimensions`. */
  search(vector: Float32Array, options: SearchOptions): Promise<Hit[]>;
  /** What is known of samples, in the order of the ids; unknown ids are left out. */
  samples(ids: readonly number[]): Promise<IndexedSample[]>;
  byHash(hash: bigint): Promise<IndexedSample | undefined>;
  /** Whether any sample has the similarity of its picture and its caption. */
  knowsSimilarity(): Promise<boolean>;
  vector(id: number, modality: Modality): Float32Array;
  /** Every row's hash and vector, in no particular order. */
  rows(modality: Modality): AsyncGenerator<{ hash: bigint; vector: Float32Array }>;
  close(): Promise<void>;
}

/** Opens an index folder (`index.json`). Throws UsageError where it is none. */
export async function openIndex(folder: string): Promise<KnnIndex> {
  return openDescribedIndex(folder, await readDescription(folder));
}

/** Opens an index by a description whose paths are relative to `folder`. */
export async function openDescribedIndex(folder: string, description: IndexDescription): Promise<KnnIndex> {
  const database = await connect(join(folder, description.folder), {}, cappedSession());
  const table = await database.openTable(TABLE);
  const targets = new Map<Modality, SearchTarget>();
  for (const [modality, vectors] of Object.entries(description.vectors) as [Modality, IndexDescription['vectors']['image'] & object][]) {
    targets.set(modality, {
      table,
      modality,
      vectors: FlatVectors.open(join(folder, vectors.file), description.dimensions),
      ...vectors,
      rows: description.rows,
    });
  }
  const target = (modality: Modality): SearchTarget => {
    const found = targets.get(modality);
    if (!found)
      throw new UsageError(`The index has no ${modality} vectors. Search by ${[...targets.keys()].join(' or ')}, or build it from embeddings of both.`);
    return found;
  };
  return {
    description,
    search: async (vector, { k, modality, predicate, nprobes, exact }) => {
      if (vector.length !== description.dimensions)
        throw new RangeError(
          `the query has ${vector.length} values, but the vectors of this index (model ${description.model.id || 'unknown'}) have ${description.dimensions}`,
        );
      return searchVectors(target(modality), normalised(vector), { k, nprobes, exact, where: predicate && predicateSql(predicate, description.heads) });
    },
    async samples(ids) {
      const found = new Map<number, IndexedSample>();
      // A list of thousands of ids is looked up faster in pieces than as one expression.
      for (let start = 0; start < ids.length; start += 1000) {
        for (const sample of await select(
          table,
          `id IN (${
            ids
              .slice(start, start + 1000)
              .filter(Number.isSafeInteger)
              .join(', ') || 'NULL'
          })`,
          description,
        ))
          found.set(sample.id, sample);
      }
      return ids.map((id) => found.get(id)).filter((sample) => sample !== undefined);
    },
    byHash: async (hash) => (await select(table, `hash = ${hash}`, description))[0],
    knowsSimilarity: async () => (await table.query().where('similarity IS NOT NULL').select(['id']).limit(1).toArray()).length > 0,
    vector: (id, modality) => target(modality).vectors.read(id - target(modality).base),
    async *rows(modality) {
      const { vectors, base } = target(modality);
      for await (const batch of table.query().select(['id', 'hash'])) {
        for (const row of batch) yield { hash: row['hash'] as bigint, vector: vectors.read(Number(row['id'] as bigint) - base) };
      }
    },
    async close() {
      for (const { vectors } of targets.values()) vectors.close();
      table.close();
      database.close();
    },
  };
}

async function readDescription(folder: string): Promise<IndexDescription> {
  const path = join(folder, 'index.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR')
      throw new UsageError(`${folder} is not an index: it has no index.json. Build one with pairmill index, or name another folder.`);
    throw error;
  }
  const parsed = IndexDescription.safeParse(JSON.parse(text));
  if (!parsed.success)
    throw new UsageError(
      `${path} is not an index that this version reads: ${parsed.error.issues[0]?.path.join('.')} ${parsed.error.issues[0]?.message}. Build it again with pairmill index --redo index.`,
    );
  return parsed.data;
}

async function select(table: Table, where: string, { heads, further }: IndexDescription): Promise<IndexedSample[]> {
  const rows = (await table
    .query()
    .where(where)
    .select([...scalarColumns, ...heads.map(tagColumn), ...further.map((_, i) => furtherColumn(i))])
    .toArray()) as Record<string, unknown>[];
  return rows.map((row) => {
    const sample: Record<string, unknown> = {};
    for (const name of scalarColumns) sample[name] = row[name] ?? null;
    sample['id'] = Number(row['id']);
    sample['tags'] = Object.fromEntries(heads.map((head) => [head, row[tagColumn(head)] ?? null]));
    sample['further'] = Object.fromEntries(further.map(({ name }, i) => [name, row[furtherColumn(i)] ?? null]));
    return sample as unknown as IndexedSample;
  });
}

function normalised(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  if (!Number.isFinite(length) || length === 0) throw new RangeError('the query vector is zero or not finite');
  return vector.map((value) => value / length);
}
