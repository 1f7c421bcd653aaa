import { beginsRecord, blockStart, contentLength, type DamageCount, nextRecordStart, skipLineEnds, type WarcRecord } from './warc-record.ts';

/** What the splitter has to know of the bytes that it is given. */
export interface SplitRange {
  bytes: Buffer;
  from: number;
  end: number;
  /** True where no more bytes follow `end`: a record that does not end there never will. */
  last: boolean;
}

/**
 * Finds records that lie one after another in uncompressed WARC. A record with a wrong length, or bytes that are no
 * record, cost themselves: reading goes on at the next line that begins with `WARC/1.`.
 */
export class RecordSplitter {
  readonly #maxRecordBytes: number;
  readonly #damage: DamageCount;
  /** True while looking for the next record after damage: the damage is counted once. */
  #lost = false;

  constructor(maxRecordBytes: number, damage: DamageCount) {
    this.#maxRecordBytes = maxRecordBytes;
    this.#damage = damage;
  }

  /** Appends the complete records of the range to `records` and returns the position up to which bytes are used up. */
  split(range: SplitRange, records: WarcRecord[], offsetOf: (start: number) => number): number {
    const { bytes, end, last } = range;
    let at = range.from;
    for (;;) {
      if (this.#lost) {
        const next = nextRecordStart(bytes.subarray(0, end), at);
        if (next < 0) return last ? end : Math.max(at, end - 8);
        at = next;
        this.#lost = false;
      }
      const start = skipLineEnds(bytes, at, end);
      if (start >= end) return end;
      const found = this.#record(range, start);
      if (found === 'incomplete') return start;
      if ('resume' in found) {
        this.#lost = true;
        at = found.resume;
      } else {
        records.push({ ...found, offset: offsetOf(start) });
        at = found.contentEnd;
      }
    }
  }

  #record({ bytes, end, last }: SplitRange, start: number): Omit<WarcRecord, 'offset'> | { resume: number } | 'incomplete' {
    if (end - start < 5 && !last) return 'incomplete';
    if (!beginsRecord(bytes, start) || end - start < 5) return this.#damaged('header', start + 1);
    const contentStart = blockStart(bytes, start, end);
    if (contentStart === undefined) return last ? this.#damaged('truncated', end) : 'incomplete';
    if (contentStart < 0) return this.#damaged('header', start + 1);
    const length = contentLength(bytes, { start, contentStart });
    if (length === undefined) return this.#damaged('length', contentStart);
    if (length > this.#maxRecordBytes) return this.#damaged('too-large', contentStart);
    const contentEnd = contentStart + length;
    if (contentEnd > end) {
      if (!last) return 'incomplete';
      // Cut off, unless records follow: then the length was wrong.
      const next = nextRecordStart(bytes.subarray(0, end), contentStart);
      return next < 0 ? this.#damaged('truncated', end) : this.#damaged('length', next);
    }
    const following = skipLineEnds(bytes, contentEnd, end);
    if (end - following < 5 && !last) return 'incomplete';
    // Other bytes follow: the length is wrong, unless the two line ends are there that end a record.
    if (following < end && !beginsRecord(bytes, following) && !endsRecord(bytes, contentEnd)) return this.#damaged('length', contentStart);
    return { start, contentStart, contentEnd };
  }

  #damaged(reason: 'header' | 'length' | 'truncated' | 'too-large', resume: number): { resume: number } {
    this.#damage.add(reason);
    return { resume };
  }
}

/** Whether the two line ends that follow a block are at `at`. */
function endsRecord(bytes: Buffer, at: number): boolean {
  return bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10;
}
