import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { systemCode, UsageError } from '../contracts/errors.ts';

/** What a line of a blocklist names: a file by its hash, a URL or the hash of one, or what a picture looks like. */
export const blockedKinds = ['md5', 'sha1', 'sha256', 'phash', 'url', 'url-md5', 'url-sha1', 'url-sha256'] as const;
export type BlockedKind = (typeof blockedKinds)[number];

export interface Blocked {
  kind: BlockedKind;
  /** Hexadecimal digits in lower case, or the URL as it stands. */
  value: string;
}

/** Hexadecimal digits of each kind; of hashes that no header names, the kind follows from them. */
const DIGITS: Readonly<Record<Exclude<BlockedKind, 'url'>, number>> = {
  md5: 32,
  sha1: 40,
  sha256: 64,
  phash: 16,
  'url-md5': 32,
  'url-sha1': 40,
  'url-sha256': 64,
};
const GZIP = Buffer.from([0x1f, 0x8b]);

/**
 * The entries of a blocklist: one a line, plain or packed with gzip. Empty lines and those that begin with # are passed over, but for a header
 * such as `# kind: url-sha256`, which says what the lines after it are. Throws UsageError for a line that is no entry: a list that is read in
 * part would let through what it names.
 */
export async function* blocklistLines(path: string): AsyncGenerator<Blocked> {
  const packed = await isPacked(path);
  const file = createReadStream(path);
  const input = packed ? file.pipe(createGunzip()) : file;
  let kind: BlockedKind | undefined;
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    number++;
    const text = line.trim();
    if (text === '') continue;
    if (text.startsWith('#')) {
      const named = /^#\s*kind:\s*(\S+)\s*$/i.exec(text)?.[1]?.toLowerCase();
      if (named === undefined) continue;
      kind = blockedKinds.find((each) => each === named);
      if (!kind) throw new UsageError(`${path}, line ${number}: ${named} is no kind of entry. There are ${blockedKinds.join(', ')}.`);
      continue;
    }
    yield entryOf(text, kind, () => `${basename(path)}, line ${number}`);
  }
}

function entryOf(text: string, named: BlockedKind | undefined, where: () => string): Blocked {
  const isUrl = text.includes('://');
  if (named === 'url' || (named === undefined && isUrl)) return { kind: 'url', value: text };
  const value = text.toLowerCase();
  const kind = named ?? (['md5', 'sha1', 'sha256', 'phash'] as const).find((each) => DIGITS[each] === value.length);
  if (kind && /^[0-9a-f]+$/.test(value) && value.length === DIGITS[kind]) return { kind, value };
  const wanted = named === undefined ? 'a URL, or 32 (MD5), 40 (SHA-1), 64 (SHA-256) or 16 (perceptual hash) hexadecimal digits' : `of the kind ${named}`;
  throw new UsageError(`${where()}: ${text.slice(0, 80)} is no entry of a blocklist: it is not ${wanted}. Mend the line or remove it.`);
}

async function isPacked(path: string): Promise<boolean> {
  const file = await open(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') throw new UsageError(`--blocklist ${path}: there is no such file.`);
    throw error;
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.equals(GZIP);
  } finally {
    await file.close();
  }
}
