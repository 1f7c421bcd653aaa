import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, gunzipSync, inflateRawSync } from 'node:zlib';
import { generateEmojiWeb } from '../../src/demo/generate.ts';
import { type EmojiWebManifest, type ManifestLink, readManifestLinks } from '../../src/demo/manifest.ts';

export interface TinyWeb {
  folder: string;
  manifest: EmojiWebManifest;
  links: ManifestLink[];
  remove(): void;
}

/** A web small enough to be made in a second or two. */
export async function makeTinyWeb(options: { candidates?: number; seed?: number } = {}): Promise<TinyWeb> {
  const folder = mkdtempSync(join(tmpdir(), 'emoji-web-'));
  const manifest = await generateEmojiWeb({ folder, candidates: 600, pictures: 60, crawlFiles: 3, ...options });
  const links = await Array.fromAsync(readManifestLinks(folder));
  return { folder, manifest, links, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface ParsedRecord {
  offset: number;
  length: number;
  headers: Map<string, string>;
  block: Buffer;
  inflated: Buffer;
}

/**
 * Reads WARC by the standard alone, and shares nothing with the generator: member after member (found by trying the
 * gzip trailer's CRC at each next gzip signature), then header lines, then Content-Length bytes and two line ends.
 */
export function parseWarc(path: string): ParsedRecord[] {
  const bytes = readFileSync(path);
  const records: ParsedRecord[] = [];
  for (let offset = 0; offset < bytes.length;) {
    let end = offset;
    let inflated: Buffer | undefined;
    while (inflated === undefined) {
      end = bytes.indexOf(Buffer.from([0x1f, 0x8b, 0x08]), end + 1);
      if (end === -1) end = bytes.length;
      inflated = memberBetween(bytes, offset, end);
      if (inflated === undefined && end === bytes.length) throw new Error(`no gzip member at ${offset} of ${path}`);
    }
    const head = inflated.indexOf('\r\n\r\n');
    const [version, ...lines] = inflated.subarray(0, head).toString('utf8').split('\r\n');
    if (version !== 'WARC/1.0') throw new Error(`${version} at ${offset}`);
    const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
    const length = Number(headers.get('Content-Length'));
    const block = inflated.subarray(head + 4, head + 4 + length);
    if (inflated.subarray(head + 4 + length).toString('latin1') !== '\r\n\r\n') throw new Error(`Content-Length is wrong at ${offset}`);
    records.push({ offset, length: end - offset, headers, block, inflated });
    offset = end;
  }
  return records;
}

function memberBetween(bytes: Buffer, start: number, end: number): Buffer | undefined {
  try {
    const inflated = inflateRawSync(bytes.subarray(start + 10, end - 8));
    const trailer = bytes.subarray(end - 8, end);
    return trailer.readUInt32LE(0) === crc32(inflated) && trailer.readUInt32LE(4) === inflated.length ? inflated : undefined;
  } catch {
    return undefined;
  }
}

/** What `zcat` makes of the whole file. */
export function inflateAll(path: string): Buffer {
  return gunzipSync(readFileSync(path));
}
