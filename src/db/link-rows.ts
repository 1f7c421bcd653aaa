import type { CopyBuffer } from './copy-buffer.ts';
import type { ColumnType } from './further-values.ts';
import { MAX_SCALAR_BYTES, textRoom, writeFloat32, writeNumber, writeText } from './json-text.ts';
import type { LinkGroup, TextColumn } from './link-file.ts';

/** The columns of pairmill.links, in the order in which rows are written and read: the order in the table is free. */
export const linkColumns = ['hash', 'record_offset', 'url', 'text', 'language', 'licence', 'uid', 'page_url', 'crawl_file', 'rest'] as const;

/** Bytes of a value that is no part of a link's identity: a page may have repeated a megabyte of it over all its links. */
const MAX_VALUE_BYTES = 2000;
/** The same for a column that Pairmill doesn't know. */
const MAX_FURTHER_BYTES = 32_768;

/** How a further column of a file goes into `rest`: at its position, or as null where the file lacks it. */
export type RestLayout = readonly ({ readonly column: number; readonly type: ColumnType } | undefined)[];

/** Rows of pairmill.links in COPY's binary format. */
export class LinkRows {
  readonly #buffer: CopyBuffer;
  readonly #defaultLanguage: Uint8Array;
  readonly #layout: RestLayout;
  /** Values left out for their length, by column. */
  readonly #tooLong: Map<string, number>;

  constructor(buffer: CopyBuffer, language: string, layout: RestLayout, tooLong: Map<string, number>) {
    this.#buffer = buffer;
    this.#defaultLanguage = Buffer.from(language);
    this.#layout = layout;
    this.#tooLong = tooLong;
  }

  /** Adds the rows of a group from `start` on that `wanted` says; stops where the buffer is full. Returns where to go on. */
  add(group: LinkGroup, start: number, wanted: (row: number) => boolean): number {
    const buffer = this.#buffer;
    const { rows, hash, url, text, language, licence, uid, page_url, crawl_file, record_offset } = group;
    const high = new Int32Array(hash.buffer, hash.byteOffset, 2 * rows);
    for (let i = start; i < rows; i++) {
      if (buffer.full) return i;
      if (!wanted(i)) continue;
      buffer.row(linkColumns.length, high[2 * i + 1]!);
      buffer.int64(hash[i]!);
      const offset = record_offset?.[i];
      if (offset == null) buffer.null();
      else buffer.int64(BigInt(offset));
      buffer.text(url[i] ?? EMPTY);
      buffer.text(text?.[i] ?? EMPTY);
      buffer.text(this.#bounded('language', language, i) ?? this.#defaultLanguage);
      this.#optional('licence', licence, i);
      this.#optional('uid', uid, i);
      this.#optional('page_url', page_url, i);
      this.#optional('crawl_file', crawl_file, i);
      this.#rest(group.further, i);
    }
    return rows;
  }

  #optional(name: string, column: TextColumn | undefined, row: number): void {
    const value = this.#bounded(name, column, row);
    if (value == null) this.#buffer.null();
    else this.#buffer.text(value);
  }

  #bounded(name: string, column: TextColumn | undefined, row: number): Uint8Array | null | undefined {
    const value = column?.[row];
    if (value == null || value.length <= MAX_VALUE_BYTES) return value;
    this.#leaveOut(name);
    return null;
  }

  #rest(further: LinkGroup['further'], row: number): void {
    const layout = this.#layout;
    if (layout.length === 0) {
      this.#buffer.null();
      return;
    }
    let room = 2 + layout.length * (MAX_SCALAR_BYTES + 1);
    for (const source of layout) {
      const value = source?.type === 'string' ? (further[source.column]![row] as Uint8Array | null | undefined) : undefined;
      if (value != null && value.length <= MAX_FURTHER_BYTES) room += textRoom(value);
    }
    this.#buffer.value(room, (bytes, at) => {
      let end = at;
      for (const [position, source] of layout.entries()) {
        bytes[end++] = position === 0 ? OPEN : COMMA;
        end = this.#value(bytes, end, source && further[source.column]![row], source?.type, position);
      }
      bytes[end++] = CLOSE;
      return end;
    });
  }

  #value(bytes: Buffer, at: number, value: unknown, type: ColumnType | undefined, position: number): number {
    if (value == null) return at + bytes.write('null', at, 'latin1');
    if (type === 'float32') return writeFloat32(bytes, at, value as number);
    if (type === 'int32' || type === 'double') return writeNumber(bytes, at, value as number);
    if (type !== 'string') return at + bytes.write(String(value), at, 'latin1');
    const text = value as Uint8Array;
    if (text.length <= MAX_FURTHER_BYTES) return writeText(bytes, at, text);
    this.#leaveOut(`further column ${position}`);
    return at + bytes.write('null', at, 'latin1');
  }

  #leaveOut(name: string): void {
    this.#tooLong.set(name, (this.#tooLong.get(name) ?? 0) + 1);
  }
}

const EMPTY = new Uint8Array(0);
const [OPEN, CLOSE, COMMA] = [91, 93, 44];
