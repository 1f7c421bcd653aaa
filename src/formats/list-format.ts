import { constants, zstdDecompressSync } from 'node:zlib';
import { encodingOf } from './decode-text.ts';
import { plainStart } from './plain-start.ts';

/** How a list of links is written. */
export interface ListFormat {
  readonly type: 'parquet' | 'csv' | 'json' | 'jsonl' | 'txt';
  readonly compression: 'none' | 'gzip' | 'zstd';
}

/** So many bytes from the start of a file are enough for `listFormatOf`. */
export const LIST_HEAD_BYTES = 65_536;

/**
 * The format of a list, by its first bytes: a name may say anything. `csv` stands for every table of text with one delimiter. Undefined
 * where it is no list: binary data, or nothing.
 */
export function listFormatOf(head: Uint8Array): ListFormat | undefined {
  const compression = compressionOf(head);
  const text = decompressed(head, compression);
  if (text === undefined) return undefined;
  if (compression === 'none' && startsWith(text, 'PAR1')) return { type: 'parquet', compression };
  const type = textTypeOf(text);
  return type && { type, compression };
}

/** Where a file is no list because of its encoding: what it is, and what helps. */
export function encodingAdvice(head: Uint8Array): string | undefined {
  const text = decompressed(head, compressionOf(head)) ?? head;
  const encoding = encodingOf(text, { cut: true });
  if (encoding === 'utf-8' || (encoding === 'windows-1252' && text.includes(0))) return undefined;
  const name = encoding === 'windows-1252' ? 'WINDOWS-1252' : 'UTF-16';
  return `a text whose encoding is not UTF-8${name === 'UTF-16' ? ' but UTF-16' : ''}. Convert it: iconv -f ${name} -t UTF-8 OLD > NEW.`;
}

function textTypeOf(bytes: Uint8Array): 'csv' | 'json' | 'jsonl' | 'txt' | undefined {
  const start = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  // Also what is not utf-8: a cut at the end may make one broken character.
  if (start === '' || start.includes('\0') || [...start.matchAll(/\uFFFD/g)].length > 8) return undefined;
  if (start.startsWith('[')) return 'json';
  // One object over several lines is an array's only in JSON; a line that is an object is JSON lines.
  if (start.startsWith('{')) return 'jsonl';
  const [line = ''] = start.split(/\r?\n/, 1);
  return /^https?:\/\/\S+$/i.test(line.trim()) ? 'txt' : 'csv';
}

function compressionOf(head: Uint8Array): ListFormat['compression'] {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'zstd';
  return 'none';
}

/** The first bytes decompressed, as far as they go; undefined where they can't be. */
function decompressed(head: Uint8Array, compression: ListFormat['compression']): Uint8Array | undefined {
  if (compression !== 'zstd') return plainStart(head);
  try {
    return zstdDecompressSync(head, { finishFlush: constants.ZSTD_e_flush });
  } catch {
    return undefined;
  }
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, text.length)).toString('latin1') === text;
}
