import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, Index, type Table } from '@lancedb/lancedb';
import type { Schema } from 'apache-arrow';
import type { Modality, VectorIndexDescription } from '../contracts/index-description.ts';
import { FlatVectors } from './flat-vectors.ts';
import { type IndexRow, indexSchema, indexTable, TABLE, vectorColumn } from './index-schema.ts';
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

/** Vectors of a batch in memory. */
const BATCH_BYTES = 32 * 1024 * 1024;

/** Writes one shard of an index into a folder: a LanceDB table and a float16 file for each modality. */
export class IndexWriter {
  readonly #folder: string;
  readonly #dimensions: number;
  readonly #heads: readonly string[];
  readonly #modalities: readonly Modality[];
  readonly #schema: Schema;
  readonly #table: Table;
  readonly #vectors: Map<Modality, FlatVectors>;
  readonly #batchRows: number;
  #batch: IndexRow[] = [];

  private constructor(
    folder: string,
    { dimensions, heads, modalities }: { dimensions: number; heads: readonly string[]; modalities: readonly Modality[] },
    schema: Schema,
    table: Table,
  ) {
    this.#folder = folder;
    this.#dimensions = dimensions;
    this.#heads = heads;
    this.#modalities = modalities;
    this.#schema = schema;
    this.#table = table;
    this.#vectors = new Map(modalities.map((modality) => [modality, FlatVectors.create(join(folder, vectorFile(modality)), dimensions)]));
    this.#batchRows = Math.max(1, Math.floor(BATCH_BYTES / (4 * dimensions * modalities.length)));
  }

  static async create(folder: string, shape: { dimensions: number; heads: readonly string[]; modalities: readonly Modality[] }): Promise<IndexWriter> {
    await mkdir(folder, { recursive: true });
    const database = await connect(folder, {}, cappedSession());
    const schema = indexSchema(shape.heads, shape.modalities, shape.dimensions);
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
    if (this.#batch.length >= this.#batchRows) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#batch.length > 0) await this.#table.add(indexTable(this.#schema, this.#batch, this.#heads, this.#modalities, this.#dimensions));
    this.#batch = [];
  }

  /** Builds the indexes, measures them, makes all files durable and closes. Paths are relative to `folder`. */
  async finish(parameters: IndexParameters): Promise<{ rows: number; vectors: Partial<Record<Modality, VectorIndexDescription>> }> {
    await this.#flush();
    const rows = await this.#table.countRows();
    if (rows > 0) for (const column of ['id', 'hash']) await this.#table.createIndex(column, { config: Index.btree() });
    const vectors: Partial<Record<Modality, VectorIndexDescription>> = {};
    for (const modality of this.#modalities)
      vectors[modality] =
        rows < parameters.flatBelow ? { kind: 'flat', file: vectorFile(modality), base: 0 } : await this.#buildLists(modality, rows, parameters);
    for (const modality of this.#modalities) {
      const described = vectors[modality]!;
      if (described.kind === 'flat') continue;
      const target = (each: Modality): SearchTarget => ({ ...vectors[each]!, table: this.#table, modality: each, vectors: this.#vectors.get(each)!, rows });
      // Captions ask for pictures and pictures for captions: queries out of the other tower are what a search meets.
      const queriedWith = this.#modalities.find((other) => other !== modality) ?? modality;
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
