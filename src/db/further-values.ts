import { z } from 'zod';
import type { FurtherColumns } from '../formats/further-columns.ts';

/** Type in batches/ of a column that Pairmill doesn't know. */
export type ColumnType = 'string' | 'int64' | 'int32' | 'float32' | 'double' | 'boolean';

/** A column of `rest`, at its position in the JSON array. */
export interface RestColumn {
  readonly name: string;
  readonly type: ColumnType;
}

const schemas: Readonly<Record<ColumnType, z.ZodType>> = {
  string: z.string(),
  int64: z.int64(),
  int32: z.int32(),
  float32: z.float32(),
  double: z.number(),
  boolean: z.boolean(),
};

/** The same columns as a schema has them. */
export function schemaOfColumns(columns: readonly RestColumn[]): FurtherColumns {
  return Object.fromEntries(columns.map(({ name, type }) => [name, schemas[type].nullable()]));
}

/** The type of a column as `furtherColumns` gives it. */
export function columnType(schema: z.ZodType): ColumnType {
  const { def } = schema as z.ZodType & { def: { type: string; format?: string; innerType?: z.ZodType } };
  if (def.innerType) return columnType(def.innerType);
  if (def.type === 'bigint') return 'int64';
  if (def.type === 'boolean') return 'boolean';
  if (def.type !== 'number') return 'string';
  return def.format === 'int32' || def.format === 'float32' ? def.format : 'double';
}

/** The type that holds the values of both: what a column has where two shards disagree. */
export function widerType(a: ColumnType, b: ColumnType): ColumnType {
  if (a === b) return a;
  const both = [a, b];
  if (both.every((type) => type === 'int32' || type === 'int64')) return 'int64';
  return both.includes('string') || both.includes('boolean') ? 'string' : 'double';
}

/**
 * The values of a row's `rest` by column; a column that is not in it is null. Numbers that JSON doesn't have (NaN) lie in it as
 * text.
 */
export function restValues(rest: string | null, columns: readonly RestColumn[]): Record<string, unknown> {
  const values = rest === null ? [] : (JSON.parse(rest, keepWholeNumbers) as unknown[]);
  return Object.fromEntries(columns.map(({ name, type }, position) => [name, typed(values[position] ?? null, type)]));
}

/** An integer that a JavaScript number can't hold exactly becomes a BigInt. */
function keepWholeNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  const whole = typeof value === 'number' && !Number.isSafeInteger(value) && context?.source !== undefined && /^-?\d+$/.test(context.source);
  return whole ? BigInt(context.source!) : value;
}

function typed(value: unknown, type: ColumnType): unknown {
  if (value === null) return null;
  if (type === 'string') return String(value);
  if (type === 'boolean') return value;
  if (type === 'int64') return BigInt(value as number | bigint);
  // It was written with as many digits as a float32 needs.
  return type === 'float32' ? Math.fround(Number(value)) : Number(value);
}
