/** A record within a buffer: where it lies, not what it says. Positions are bytes. */
export interface WarcRecord {
  /** Start of `WARC/1.x`. */
  start: number;
  /** Block: after the empty line of the header. */
  contentStart: number;
  contentEnd: number;
  /** Where the record's gzip member (or, in a plain file, the record) starts in the file. */
  offset: number;
}

/** Records whose bytes are in one buffer. The buffer is used again once the next batch is asked for. */
export interface RecordBatch {
  bytes: Buffer;
  records: WarcRecord[];
}

/** Why a record of a crawl file can't be read. */
export const damages = {
  gzip: 'a gzip member that does not inflate, or whose checksum is wrong',
  truncated: 'the file ends within a record',
  header: 'no WARC header where a record should begin',
  length: 'the record is not as long as its Content-Length says',
  'too-large': 'larger than --max-record-bytes',
  json: 'the metadata is not the JSON of a WAT',
  html: 'the page could not be parsed',
} as const;
export type Damage = keyof typeof damages;

/** Counts of damaged records by reason. */
export class DamageCount {
  readonly counts: Partial<Record<Damage, number>> = {};

  add(reason: Damage): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
  }
}

const MAGIC = Buffer.from('WARC/');
/** A header longer than this is none. */
const LONGEST_HEADER = 65_536;

export function beginsRecord(bytes: Buffer, at: number): boolean {
  return bytes.compare(MAGIC, 0, MAGIC.length, at, Math.min(at + MAGIC.length, bytes.length)) === 0;
}

/** Next place from `from` where a line begins with `WARC/1.`, or -1. */
export function nextRecordStart(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf('WARC/1.', from); at >= 0; at = bytes.indexOf('WARC/1.', at + 1)) {
    if (at === from || bytes[at - 1] === 10) return at;
  }
  return -1;
}

/** Where the block of the record at `start` begins: undefined where its header does not end before `end`, -1 where it is too long or another begins in it. */
export function blockStart(bytes: Buffer, start: number, end: number): number | undefined {
  const limit = Math.min(end, start + LONGEST_HEADER);
  for (let at = start; at < limit; at++) {
    if (bytes[at] !== 10) continue;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10 && at + 3 <= limit) return at + 3;
    if (bytes[at + 1] === 10 && at + 2 <= limit) return at + 2;
    // Else a file of nothing but such lines would be searched 65,536 bytes ahead from each.
    if (bytes[at + 1] === 0x57 && beginsRecord(bytes, at + 1)) return -1;
  }
  return limit < end ? -1 : undefined;
}

/** Value of a header field (name in lower case) of the record, white space trimmed; undefined where it is absent. */
export function headerField(bytes: Buffer, { start, contentStart }: Pick<WarcRecord, 'start' | 'contentStart'>, name: string): string | undefined {
  for (let line = bytes.indexOf(10, start) + 1; line > 0 && line < contentStart; line = bytes.indexOf(10, line) + 1) {
    if (bytes[line + name.length] !== 58 || !sameName(bytes, line, name)) continue;
    return bytes.toString('utf8', line + name.length + 1, bytes.indexOf(10, line)).trim();
  }
  return undefined;
}

/** The URL that a record is about, without the angle brackets that WARC 1.0 has and wget writes; undefined where it says none. */
export function targetUri(bytes: Buffer, record: Pick<WarcRecord, 'start' | 'contentStart'>): string | undefined {
  return headerField(bytes, record, 'warc-target-uri')?.replace(/^<(.*)>$/, '$1');
}

function sameName(bytes: Buffer, at: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[at + i]!;
    // Upper case letters are 32 below the lower case ones; `-` has that bit already.
    if ((byte | 32) !== name.charCodeAt(i)) return false;
  }
  return true;
}

/** Content-Length of the record, or undefined where it says none, or no number. */
export function contentLength(bytes: Buffer, record: Pick<WarcRecord, 'start' | 'contentStart'>): number | undefined {
  const text = headerField(bytes, record, 'content-length');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Position after the line ends (and other white space) from `at` on, at most `end`. */
export function skipLineEnds(bytes: Buffer, at: number, end: number): number {
  while (at < end && (bytes[at] === 13 || bytes[at] === 10 || bytes[at] === 32 || bytes[at] === 0)) at++;
  return at;
}
