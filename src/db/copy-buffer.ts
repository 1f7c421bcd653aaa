/** Rows of a chunk: the index of a row has to fit beside the 32 bits of its hash into a double. */
const MAX_ROWS = 2 ** 20;
/** Bytes at which a chunk goes to the server: bounded by bytes and not by rows, since a page may repeat a megabyte over its links. */
const CHUNK_BYTES = 32 * 1024 * 1024;
/** Bytes that go to the socket at a time. */
const WRITE_BYTES = 256 * 1024;

/** Signature, flags and length of the extension of COPY's binary format. */
export const copyHeader = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
/** Stands where the number of columns of a next row would. */
export const copyTrailer = Buffer.from('ffff', 'hex');

/**
 * Rows in the binary format of COPY (a length and the bytes of each value: nothing to escape, nothing to parse), collected
 * until a chunk is full and given out in the order of their hash. A hash is as good as random, so the pages which TABLESAMPLE
 * SYSTEM returns whole hold no runs of one host, and no seed is needed for it.
 */
export class CopyBuffer {
  #bytes = Buffer.allocUnsafeSlow(1024 * 1024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #rows = 0;
  /** Where each row starts. */
  readonly #starts = new Float64Array(MAX_ROWS + 1);
  /** The high 32 bits of the hash, then the index of the row. */
  readonly #keys = new Float64Array(MAX_ROWS);

  /** True where the chunk must be taken before the next row. */
  get full(): boolean {
    return this.#rows === MAX_ROWS || this.#at >= CHUNK_BYTES;
  }

  /** Starts a row. `high` are the high 32 bits of its hash. */
  row(columns: number, high: number): void {
    this.#starts[this.#rows] = this.#at;
    this.#keys[this.#rows] = (high + 2 ** 31) * MAX_ROWS + this.#rows;
    this.#rows++;
    this.#room(2);
    this.#view.setInt16(this.#at, columns);
    this.#at += 2;
  }

  null(): void {
    this.#room(4);
    this.#view.setInt32(this.#at, -1);
    this.#at += 4;
  }

  int64(value: bigint): void {
    this.#room(12);
    this.#view.setInt32(this.#at, 8);
    this.#view.setBigInt64(this.#at + 4, value);
    this.#at += 12;
  }

  int32(value: number): void {
    this.#room(8);
    this.#view.setInt32(this.#at, 4);
    this.#view.setInt32(this.#at + 4, value);
    this.#at += 8;
  }

  text(value: Uint8Array): void {
    const { length } = value;
    this.#room(4 + length);
    this.#view.setInt32(this.#at, length);
    const start = this.#at + 4;
    // A call of `set` costs more than a few bytes.
    if (length < 24) for (let i = 0; i < length; i++) this.#bytes[start + i] = value[i]!;
    else this.#bytes.set(value, start);
    this.#at = start + length;
  }

  /** A value of at most `room` bytes that `write` puts at an offset, returning where it ends. */
  value(room: number, write: (bytes: Buffer, at: number) => number): void {
    this.#room(4 + room);
    const end = write(this.#bytes, this.#at + 4);
    this.#view.setInt32(this.#at, end - this.#at - 4);
    this.#at = end;
  }

  /** The rows at hand in the order of their hash, in pieces for the socket; the buffer is empty then. */
  *take(): Generator<Buffer, void> {
    this.#starts[this.#rows] = this.#at;
    const keys = this.#keys.subarray(0, this.#rows).sort();
    const total = this.#at;
    let [piece, filled, taken] = [Buffer.allocUnsafeSlow(Math.min(total, WRITE_BYTES)), 0, 0];
    for (const key of keys) {
      const index = key % MAX_ROWS;
      const row = this.#bytes.subarray(this.#starts[index], this.#starts[index + 1]);
      if (filled + row.length > piece.length) {
        if (filled > 0) yield piece.subarray(0, filled);
        // The driver may not have sent the last piece yet.
        [piece, filled] = [Buffer.allocUnsafeSlow(Math.max(row.length, Math.min(total - taken, WRITE_BYTES))), 0];
      }
      piece.set(row, filled);
      filled += row.length;
      taken += row.length;
    }
    if (filled > 0) yield piece.subarray(0, filled);
    [this.#at, this.#rows] = [0, 0];
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#at + bytes));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
