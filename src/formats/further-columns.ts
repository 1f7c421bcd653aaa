import { z } from 'zod';
import { parquetElements } from './parquet.ts';

/**
 * Columns of an input that a stage does not know and passes on, by name: a zod type as in `contracts/records`, always nullable.
 * Lists, structs, times and decimals have no such type: they travel as JSON text.
 */
export type FurtherColumns = Readonly<Record<string, z.ZodType>>;

/** The columns of a Parquet file that `known` lacks, in their order. Throws where the file is no Parquet. */
export async function furtherColumns(path: string, known: z.ZodObject): Promise<FurtherColumns> {
  const columns: Record<string, z.ZodType> = {};
  for (const { name, type, plain } of await parquetElements(path)) {
    if (!Object.hasOwn(known.shape, name)) columns[name] = (plain ? (columnTypes[type] ?? z.string()) : z.string()).nullable();
  }
  return columns;
}

/** The columns of several files in one. One that is of several types in them is text, which holds the values of all. */
export function mergedColumns(ofFiles: Iterable<FurtherColumns>): FurtherColumns {
  const merged: Record<string, z.ZodType> = {};
  for (const columns of ofFiles)
    for (const [name, type] of Object.entries(columns)) {
      const known = merged[name];
      merged[name] = known === undefined || typeName(known) === typeName(type) ? type : z.string().nullable();
    }
  return merged;
}

/** The values of those columns in a row, made to fit. */
export function furtherValues(row: Readonly<Record<string, unknown>>, columns: FurtherColumns): Record<string, unknown> {
  return Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, isText(type) ? asText(row[name]) : (row[name] ?? null)]));
}

const columnTypes: Readonly<Record<string, z.ZodType>> = {
  BYTE_ARRAY: z.string(),
  INT64: z.int64(),
  INT32: z.int32(),
  FLOAT: z.float32(),
  DOUBLE: z.number(),
  BOOLEAN: z.boolean(),
};

function typeName(type: z.ZodType): string {
  const { def } = type as z.ZodType & { def: { type: string; format?: string; innerType?: z.ZodType } };
  return def.innerType ? typeName(def.innerType) : `${def.type} ${def.format ?? ''}`;
}

function isText(type: z.ZodType): boolean {
  return (type instanceof z.ZodNullable ? (type.unwrap() as z.ZodType) : type) instanceof z.ZodString;
}

function asText(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value !== 'object') return String(value);
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner));
}
