import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, Index, type Table } from '@lancedb/lancedb';
import type { Schema } from 'apache-arrow';
import type { Modality, VectorIndexDescription } from '../contracts/index-description.ts';
import { FlatVectors } from './flat-vectors.ts';
import { type IndexRow, indexSchema, type IndexShape, indexTable, TABLE, vectorColumn } from './index-schema.ts';
import { measureRecall } from './recall.ts';
import type { SearchTarget } from './search.ts';
import { cappedSession } from './session.ts';

/** How an index is built. */
export interface IndexParameters {
  /** Below so many rows every vector is compared. */
  flatBelow: number;
  /** Inverted lists; 0 for the power of two nearest to the square root of the rows. */
  lists: number;
  /** Of RaBitQ's codes, a dimension. */
  bits: number;
  nprobes: number;
  refine: number;
  /** Queries by which recall is measured. */
  recallQueries: number;
  seed: number;
}

/** Vectors and texts of a batch in memory. */
const BATCH_BYTES = 32 * 1024 * 1024;
/** What a row's objects take besides. */
const ROW_BYTES = 1024;

/** Writes one shard of an index into a folder: a LanceDB table and a float16 file for each modality. */
export class IndexWriter {
  readonly #folder: string;
  readonly #shape: IndexShape;
  readonly #schema: Schema;
  readonly #table: Table;
  readonly #vectors: Map<Modality, FlatVectors>;
  #batch: IndexRow[] = [];
  #batchBytes = 0;

  private constructor(folder: string, shape: IndexShape, schema: Schema, table: Table) {
    this.#folder = folder;
    this.#shape = shape;
    this.#schema = schema;
    this.#table = table;
    this.#vectors = new Map(shape.modalities.map((modality) => [modality, FlatVectors.create(join(folder, vectorFile(modality)), shape.dimensions)]));
  }

  static async create(folder: string, shape: IndexShape): Promise<IndexWriter> {
    await mkdir(folder, { recursive: true });
    const database = await connect(folder, {}, cappedSession());
    const schema = indexSchema(shape);
    return new IndexWriter(folder, shape, schema, await database.createEmptyTable(TABLE, schema));
  }

  /** Adds a row; its id (from 0, without gaps once all are in) is its place in the vector files. */
  async add(row: IndexRow): Promise<void> {
    for (const [modality, file] of this.#vectors) {
      const vector = row.vectors[modality]!;
      file.write(row.id, vector);
      // The table gets what the file holds: the two must rank alike.
      row.vectors[modality] = file.read(row.id);
    }
    this.#batch.push(row);
    this.#batchBytes += bytesOf(row, this.#shape);
    if (this.#batchBytes >= BATCH_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#batch.length > 0) await this.#table.add(indexTable(this.#schema, this.#batch, this.#shape));
    this.#batch = [];
    this.#batchBytes = 0;
  }

  /** Builds the indexes, measures them, makes all files durable and closes. Paths are relative to `folder`. */
  async finish(parameters: IndexParameters): Promise<{ rows: number; vectors: Partial<Record<Modality, VectorIndexDescription>> }> {
    await this.#flush();
    const rows = await this.#table.countRows();
    if (rows > 0) for (const column of ['id', 'hash']) await this.#table.createIndex(column, { config: Index.btree() });
    const vectors: Partial<Record<Modality, VectorIndexDescription>> = {};
    for (const modality of this.#shape.modalities)
      vectors[modality] =
        rows < parameters.flatBelow ? { kind: 'flat', file: vectorFile(modality), base: 0 } : await this.#buildLists(modality, rows, parameters);
    for (const modality of this.#shape.modalities) {
      const described = vectors[modality]!;
      if (described.kind === 'flat') continue;
      const target = (each: Modality): SearchTarget => ({ ...vectors[each]!, table: this.#table, modality: each, vectors: this.#vectors.get(each)!, rows });
      // Captions ask for pictures and pictures for captions: queries out of the other tower are what a search meets.
      const queriedWith = this.#shape.modalities.find((other) => other !== modality) ?? modality;
      described.recall = await measureRecall(target(modality), target(queriedWith), { queries: parameters.recallQueries, seed: parameters.seed });
    }
    for (const file of this.#vectors.values()) {
      file.sync();
      file.close();
    }
    this.#table.close();
    await syncFiles(this.#folder);
    return { rows, vectors };
  }

  async #buildLists(modality: Modality, rows: number, { lists, bits, nprobes, refine }: IndexParameters): Promise<VectorIndexDescription> {
    const numPartitions = lists || 2 ** Math.round(Math.log2(Math.sqrt(rows)));
    await this.#table.createIndex(vectorColumn(modality), { config: Index.ivfRq({ distanceType: 'dot', numPartitions, numBits: bits }) });
    return { kind: 'ivf_rq', file: vectorFile(modality), base: 0, lists: numPartitions, bits, nprobes, refine };
  }
}

/** About what a row takes in memory. */
function bytesOf({ url, caption, further }: IndexRow, { dimensions, modalities }: IndexShape): number {
  let characters = url.length + caption.length;
  for (const value of Object.values(further)) if (typeof value === 'string') characters += value.length;
  return ROW_BYTES + 4 * dimensions * modalities.length + 2 * characters;
}

const vectorFile = (modality: Modality): string => `${modality}.f16`;

/** LanceDB leaves its files to the page cache; a marker must not stand before them. */
async function syncFiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = await open(join(entry.parentPath, entry.name), 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
}
