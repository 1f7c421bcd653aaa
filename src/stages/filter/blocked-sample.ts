import type { DropReason } from '../../contracts/drop-reason.ts';
import type { ShardSample } from '../../formats/sample-shard.ts';
import type { Blocklist } from '../../sources/blocklist.ts';

/** By what a blocklist names a sample: its URL, the hashes of its file that are in its row (`md5`, `sha256`), its perceptual hash. Undefined where it does not. */
export function blockedReason(
  { row, raw }: Pick<ShardSample, 'row' | 'raw'>,
  blocklist: Blocklist,
): { reason: DropReason<'filter'>; value: string } | undefined {
  if (blocklist.hasUrl(row.url)) return { reason: 'blocklisted-url', value: 'url' };
  const file = blocklist.kindOfFile((kind) => hexOf(raw[kind], FILE_DIGITS));
  if (file) return { reason: 'blocklisted-file', value: file };
  const phash = hexOf(raw['phash'], PHASH_DIGITS);
  const bits = phash === undefined ? undefined : blocklist.bitsFromLook(phash);
  return bits === undefined ? undefined : { reason: 'blocklisted-picture', value: String(bits) };
}

/** Rows of another tool may hold anything. */
const FILE_DIGITS = /^[0-9a-f]{32,}$/i;
const PHASH_DIGITS = /^[0-9a-f]{16}$/i;

function hexOf(value: unknown, digits: RegExp): string | undefined {
  return typeof value === 'string' && digits.test(value) ? value : undefined;
}
