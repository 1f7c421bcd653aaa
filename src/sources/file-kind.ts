import { listFormatOf } from '../formats/list-format.ts';
import { plainStart } from '../formats/plain-start.ts';

/** What a file is, as far as its first bytes say. */
export type FileKind = 'crawl' | 'list' | 'tar' | 'picture' | 'vectors';

/** So many bytes from the start of a file are enough for `fileKindOf`. */
export const HEAD_BYTES = 65_536;

/** Undefined where it is none of what Pairmill reads. */
export function fileKindOf(head: Uint8Array): FileKind | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (plainStart(head).subarray(0, 5).toString('latin1') === 'WARC/') return 'crawl';
  if (bytes.subarray(257, 262).toString('latin1') === 'ustar') return 'tar';
  if (bytes.subarray(1, 6).toString('latin1') === 'NUMPY') return 'vectors';
  if (isPicture(bytes)) return 'picture';
  return listFormatOf(head) === undefined ? undefined : 'list';
}

function isPicture(bytes: Buffer): boolean {
  const start = bytes.subarray(0, 12).toString('latin1');
  return (
    /^(?:\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|II\*\0|MM\0\*|BM[\s\S]{4}\0\0\0\0)/.test(start) ||
    /^RIFF[\s\S]{4}WEBP/.test(start) ||
    /^[\s\S]{4}ftyp(?:avif|avis|heic|mif1)/.test(start)
  );
}
