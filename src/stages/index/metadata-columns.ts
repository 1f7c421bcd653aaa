import { ShardError } from '../../contracts/errors.ts';
import type { FurtherColumn } from '../../contracts/index-description.ts';
import { EmbeddingMetadata } from '../../contracts/records.ts';
import { sqlName } from '../../formats/duckdb.ts';
import { parquetElements } from '../../formats/parquet.ts';

/** What an index has of its own, and the names under which metadata may have it; the first that is there counts. */
const sources = {
  hash: ['hash'],
  url: ['url', 'URL'],
  caption: ['caption', 'TEXT'],
  image_path: ['image_path'],
  key: ['key'],
  language: ['language', 'LANGUAGE'],
  licence: ['licence', 'LICENSE', 'license'],
  NSFW: ['NSFW'],
  similarity: ['similarity'],
  width: ['width', 'WIDTH'],
  height: ['height', 'HEIGHT'],
} as const;
export type KnownColumn = keyof typeof sources;

/** Columns that img2dataset, clip-retrieval and our stages write and that say nothing of the sample to one who looks for it. */
const unshown = new Set([...Object.keys(EmbeddingMetadata.shape), 'md5']);

/** The columns of one part's metadata. */
export interface MetadataColumns {
  /** Under which name DuckDB has a column of ours; absent where the part lacks it. */
  known: Partial<Record<KnownColumn, string>>;
  /** The same of the user's own columns, by their name. */
  further: Map<string, { sqlName: string; type: FurtherColumn['type']; fraction: boolean }>;
}

const furtherTypes: Readonly<Record<string, FurtherColumn['type']>> = {
  INT32: 'integer',
  INT64: 'integer',
  FLOAT: 'number',
  DOUBLE: 'number',
  BOOLEAN: 'boolean',
};

/** Reads the columns of a part's metadata. Throws ShardError where the file is no Parquet. */
export async function metadataColumns(path: string): Promise<MetadataColumns> {
  const elements = await parquetElements(path).catch((error: unknown) => {
    throw new ShardError(`${path} can't be read as Parquet. Make the embeddings again.`, { cause: error });
  });
  const columns: MetadataColumns = { known: {}, further: new Map() };
  const names = duckDbNames(elements.map(({ name }) => name));
  for (const [column, spellings] of Object.entries(sources) as [KnownColumn, readonly string[]][]) {
    const spelling = spellings.find((name) => names.has(name));
    if (spelling !== undefined) columns.known[column] = names.get(spelling)!;
  }
  const used = new Set(Object.values(columns.known));
  for (const { name, type, plain } of elements) {
    const inDuckDb = names.get(name)!;
    if (used.has(inDuckDb) || unshown.has(name)) continue;
    columns.further.set(name, { sqlName: sqlName(inDuckDb), type: (plain && furtherTypes[type]) || 'text', fraction: plain && /^(FLOAT|DOUBLE)$/.test(type) });
  }
  return columns;
}

/** DuckDB's names differ in more than case: the second of `width` and `Width` is `Width_1` there. */
function duckDbNames(names: readonly string[]): Map<string, string> {
  const seen = new Map<string, number>();
  return new Map(
    names.map((name) => {
      const before = seen.get(name.toLowerCase()) ?? 0;
      seen.set(name.toLowerCase(), before + 1);
      return [name, before === 0 ? name : `${name}_${before}`];
    }),
  );
}

/** The user's own columns of all parts, in the order in which they are met. One that is of several types is text, or a number where all are. */
export function furtherOf(parts: readonly MetadataColumns[], without: readonly string[]): FurtherColumn[] {
  const types = new Map<string, FurtherColumn['type']>();
  for (const { further } of parts) {
    for (const [name, { type }] of further) {
      const other = types.get(name) ?? type;
      const numbers = [type, other].every((each) => each === 'integer' || each === 'number');
      if (!without.includes(name)) types.set(name, type === other ? type : numbers ? 'number' : 'text');
    }
  }
  return [...types].map(([name, type]) => ({ name, type }));
}

/** Numbers with a fraction, in every part that has them: by these a search can be narrowed where no release says by which. */
export function headsOf(parts: readonly MetadataColumns[]): string[] {
  const found = new Map<string, boolean>();
  for (const { further } of parts) for (const [name, { fraction }] of further) found.set(name, fraction && (found.get(name) ?? true));
  // The names go into a predicate and into request parameters.
  return [...found]
    .filter(([name, fraction]) => fraction && /^[\w-]+$/.test(name))
    .map(([name]) => name)
    .sort();
}
