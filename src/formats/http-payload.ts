import { brotliDecompressSync, gunzipSync, inflateSync, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import { decodeText, markedEncoding } from './decode-text.ts';

/** An HTTP response as a WARC record holds it: status, header fields in lower case (the last of two equal ones), body. */
export interface HttpResponse {
  status: number;
  fields: Map<string, string>;
  /** All fields named X-Robots-Tag, of which each counts. */
  robotsTags: string[];
  body: Buffer;
}

/** Largest body, decoded. */
const LARGEST_BODY = 32 * 1_048_576;
/** Header fields beyond these bytes are not read: a map of millions of them takes hundreds of megabytes. */
const LONGEST_HEAD = 262_144;

/** Reads the block of a response record; undefined where it is no HTTP response. */
export function parseHttpResponse(block: Buffer): HttpResponse | undefined {
  const line = /^HTTP\/\d(?:\.\d)?\s+(\d{3})/.exec(block.toString('latin1', 0, 64));
  if (!line) return undefined;
  const end = headEnd(block);
  const fields = new Map<string, string>();
  const robotsTags: string[] = [];
  for (const text of block.toString('latin1', 0, Math.min(end, LONGEST_HEAD)).split('\n').slice(1)) {
    const colon = text.indexOf(':');
    if (colon <= 0) continue;
    const [name, value] = [text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()];
    fields.set(name, value);
    if (name === 'x-robots-tag') robotsTags.push(value);
  }
  return { status: Number(line[1]), fields, robotsTags, body: decoded(block.subarray(end), fields) };
}

function headEnd(block: Buffer): number {
  const crlf = block.indexOf('\r\n\r\n');
  const lf = block.indexOf('\n\n');
  if (crlf < 0 && lf < 0) return block.length;
  return crlf >= 0 && (lf < 0 || crlf < lf) ? crlf + 4 : lf + 2;
}

/** Takes off chunks and compression. Crawlers often have done so and left the header field: then the body is taken as it is. */
function decoded(body: Buffer, fields: Map<string, string>): Buffer {
  const whole = /\bchunked\b/i.test(fields.get('transfer-encoding') ?? '') ? dechunked(body) : body;
  const encodings = (fields.get('content-encoding') ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  return encodings.toReversed().reduce(decompressed, whole);
}

function decompressed(body: Buffer, encoding: string): Buffer {
  const limit = { maxOutputLength: LARGEST_BODY };
  try {
    if (encoding === 'gzip' || encoding === 'x-gzip') return gunzipSync(body, limit);
    if (encoding === 'br') return brotliDecompressSync(body, limit);
    if (encoding === 'zstd') return zstdDecompressSync(body, limit);
    if (encoding === 'deflate') return (body[0]! & 15) === 8 ? inflateSync(body, limit) : inflateRawSync(body, limit);
  } catch {
    return body;
  }
  return body;
}

function dechunked(body: Buffer): Buffer {
  // One buffer for all: the chunks of a body may be millions of one byte.
  const content = Buffer.allocUnsafe(body.length);
  let end = 0;
  for (let at = 0; at < body.length;) {
    const lineEnd = body.indexOf(10, at);
    const size = /^([0-9a-f]{1,8})\s*(?:;.*)?\r?$/i.exec(body.toString('latin1', at, Math.min(lineEnd < 0 ? body.length : lineEnd, at + 200)))?.[1];
    // Not chunks, or no longer.
    if (size === undefined || lineEnd < 0) return end === 0 ? body : content.subarray(0, end);
    const length = Number.parseInt(size, 16);
    if (length === 0) break;
    end += body.copy(content, end, lineEnd + 1, lineEnd + 1 + length);
    at = lineEnd + 1 + length;
    while (body[at] === 13 || body[at] === 10) at++;
  }
  return content.subarray(0, end);
}

/** Whether a response is a page of HTML, by its header, or where that is silent by its first bytes. */
export function isHtml({ fields, body }: HttpResponse): boolean {
  const type = fields.get('content-type')?.split(';')[0]!.trim().toLowerCase() ?? '';
  if (type !== '') return type === 'text/html' || type === 'application/xhtml+xml';
  return /^\s*<(?:!doctype html|html|head|body)/i.test(body.toString('latin1', 0, 200));
}

/** The text of a page, by its byte order mark, the header's charset, the charset of a meta tag near its start, else utf-8 if it is, else windows-1252. */
export function htmlText({ fields, body }: HttpResponse): string {
  const meta = /<meta[^>]*charset[^>]*>/i.exec(body.toString('latin1', 0, 4096))?.[0] ?? '';
  const declared = markedEncoding(body) ?? charsetOf(fields.get('content-type') ?? '') ?? charsetOf(meta);
  const decoder = declared === undefined ? undefined : decoderOf(declared);
  return decoder ? decoder.decode(body) : decodeText(body);
}

function charsetOf(text: string): string | undefined {
  return /charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(text)?.[1];
}

function decoderOf(label: string): InstanceType<typeof TextDecoder> | undefined {
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}
