import type { Candidate } from '../../contracts/records.ts';
import { hashWords } from '../../formats/sample-hash.ts';
import type { DedupOptions } from './options.ts';

/** 128-bit hash of what counts as the same link, as four words; used again by the next call. */
export function keyWords({ url, text, language }: Pick<Candidate, 'url' | 'text' | 'language'>, key: DedupOptions['dedupKey']): Uint32Array {
  // A URL has no line end, so the parts can't run into each other.
  return hashWords(key === 'url' ? url : `${url}\n${key === 'url+text' ? text : language}`);
}

/** The partition, 0 to `partitions` - 1, that a URL belongs to. */
export function partitionOf(url: string, partitions: number): number {
  return partitions === 1 ? 0 : Math.floor((hashWords(url)[3]! / 4294967296) * partitions);
}
