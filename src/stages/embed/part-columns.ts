import { z } from 'zod';
import { type FurtherColumns, furtherValues } from '../../formats/further-columns.ts';

/** The further columns of a part: those of all its shards. One that has several types in them is text. */
export function partColumns(ofShards: readonly FurtherColumns[]): FurtherColumns {
  const merged: Record<string, z.ZodType> = {};
  for (const columns of ofShards) {
    for (const [name, type] of Object.entries(columns)) {
      const known = merged[name];
      merged[name] = known === undefined || typeName(known) === typeName(type) ? type : z.string().nullable();
    }
  }
  return merged;
}

/** The values of a row in those columns. */
export function partValues(raw: Readonly<Record<string, unknown>>, columns: FurtherColumns): Record<string, unknown> {
  const values = furtherValues(raw, columns);
  for (const [name, type] of Object.entries(columns)) {
    const value = values[name];
    if (value !== null && typeof value !== 'string' && typeName(type) === TEXT) values[name] = String(value);
  }
  return values;
}

const typeName = (type: z.ZodType): string => {
  const { def } = type as z.ZodType & { def: { type: string; format?: string; innerType?: z.ZodType } };
  return def.innerType ? typeName(def.innerType) : `${def.type} ${def.format ?? ''}`;
};
const TEXT = typeName(z.string());
