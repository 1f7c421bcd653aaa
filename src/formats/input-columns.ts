import { z } from 'zod';
import { BatchLink, EmbeddingMetadata, Release } from '../contracts/records.ts';
import type { FurtherColumns } from './further-columns.ts';

/** Columns that stages write; case does not count, as it does not in SQL. */
const ownNames = new Set([BatchLink, EmbeddingMetadata, Release].flatMap(({ shape }) => Object.keys(shape)).map((name) => name.toLowerCase()));

/**
 * The names under which columns of an input come along: their own, or `input_` and the name in lower case where a stage writes a column
 * of that name.
 */
export function inputNames(names: Iterable<string>): Map<string, string> {
  const taken = new Set<string>();
  const found = new Map<string, string>();
  for (const name of names) {
    const lower = name.toLowerCase();
    let free = ownNames.has(lower) ? `input_${lower}` : name;
    while (taken.has(free.toLowerCase())) free = `${free}_`;
    taken.add(free.toLowerCase());
    found.set(name, free);
  }
  return found;
}

/** Column types that hold all values of the rows, by name: int64, double, boolean, else text (JSON where the value is no text). */
export function columnsOfValues(rows: Iterable<Readonly<Record<string, unknown>>>): FurtherColumns {
  const kinds = new Map<string, Kind>();
  for (const row of rows)
    for (const [name, value] of Object.entries(row)) {
      if (value === null || value === undefined) kinds.set(name, kinds.get(name) ?? 'none');
      else kinds.set(name, wider(kinds.get(name) ?? 'none', kindOf(value)));
    }
  return Object.fromEntries([...kinds].map(([name, kind]) => [name, types[kind]().nullable()]));
}

type Kind = 'none' | 'integer' | 'number' | 'boolean' | 'text';

const types: Readonly<Record<Kind, () => z.ZodType>> = {
  none: () => z.string(),
  integer: () => z.int64(),
  number: () => z.number(),
  boolean: () => z.boolean(),
  text: () => z.string(),
};

function kindOf(value: unknown): Kind {
  if (typeof value === 'bigint') return 'integer';
  if (typeof value === 'number') return 'number';
  return typeof value === 'boolean' ? 'boolean' : 'text';
}

function wider(a: Kind, b: Kind): Kind {
  if (a === 'none' || a === b) return b;
  return (a === 'integer' && b === 'number') || (a === 'number' && b === 'integer') ? 'number' : 'text';
}
