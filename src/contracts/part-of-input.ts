import { hash } from 'node:crypto';
import type { ShardInput } from './stage.ts';

/** Rows of an input that one shard reads, `end` excluded. Work that is cut so has these two fields. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** Rows of a shard as an input of another one: known by their numbers and the digest of the whole. */
export function partOfInput({ name, digest }: ShardInput, { start, end }: RowRange): ShardInput {
  return { name, digest: hash('sha256', `${start} ${end} ${digest}`) };
}
