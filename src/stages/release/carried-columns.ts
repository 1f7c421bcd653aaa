import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import { Release } from '../../contracts/records.ts';
import { sqlName } from '../../formats/duckdb.ts';
import type { ParquetGroup } from './parquet-groups.ts';

/** A further column of the pairs that the release has too. */
export interface CarriedColumn {
  /** Its name in both. */
  name: string;
  /** Its name in the work database: whatever the user's column is called, it is no other one's. */
  sql: string;
  /** Its type there. */
  sqlType: string;
  type: z.ZodType;
}

/** Columns that are in a release under LAION's names; and `key`, which is not: it says how batches were drawn. */
const KNOWN = ['hash', 'url', 'caption', 'width', 'height', 'similarity', 'language', 'licence', 'NSFW', 'page_url', 'key'];

/**
 * The columns that `--columns` names. One that is not in all files is null where it is missing; one of several types is text, and so
 * are lists, structs, times and decimals. Throws UsageError for a name that is not in the pairs, or in the release already.
 */
export function carriedColumns(groups: readonly ParquetGroup[], names: readonly string[], heads: readonly string[]): CarriedColumn[] {
  const taken = new Set([...KNOWN, ...Object.keys(Release.shape), ...heads].map((name) => name.toLowerCase()));
  const free = [...new Set(groups.flatMap(({ columns }) => [...columns.keys()]))].filter((name) => !taken.has(name.toLowerCase()));
  const carried: CarriedColumn[] = [];
  for (const name of new Set(names)) {
    if (!free.includes(name)) {
      const why = taken.has(name.toLowerCase()) ? 'is in the release already, or is no part of one' : 'is not in the pairs';
      const choice = free.length > 0 ? `Those that --columns may name are ${free.join(', ')}.` : 'These pairs have no column that --columns could add.';
      throw new UsageError(`--columns ${name}: that column ${why}. ${choice}`);
    }
    // Most readers do not tell them apart.
    const alike = carried.find((other) => other.name.toLowerCase() === name.toLowerCase());
    if (alike)
      throw new UsageError(
        `--columns ${alike.name},${name}: the two differ in capitals only, which most readers of Parquet do not tell apart. Give one of them.`,
      );
    const types = new Set(groups.flatMap(({ columns }) => columns.get(name)?.type ?? []));
    const [only = ''] = types;
    const sqlType = types.size === 1 && only in columnTypes ? only : 'VARCHAR';
    carried.push({ name, sql: `carried_${carried.length}`, sqlType, type: columnTypes[sqlType]!.nullable() });
  }
  return carried;
}

/** The expression for a column in a group of files. */
export function carriedValue({ name, sqlType }: CarriedColumn, { columns }: ParquetGroup): string {
  const found = columns.get(name);
  if (!found) return `NULL::${sqlType}`;
  const nested = found.type.endsWith(']') || /^(?:STRUCT|MAP|UNION)\(/.test(found.type);
  return nested ? `to_json(${sqlName(found.name)})::VARCHAR` : `${sqlName(found.name)}::${sqlType}`;
}

const columnTypes: Readonly<Record<string, z.ZodType>> = {
  VARCHAR: z.string(),
  BIGINT: z.int64(),
  INTEGER: z.int32(),
  FLOAT: z.float32(),
  DOUBLE: z.number(),
  BOOLEAN: z.boolean(),
};
