import { open, type FileHandle } from 'node:fs/promises';
import { npyHeader, type NpyType, npyValues } from './npy.ts';

const WRITE_BYTES = 1024 * 1024;

/** Writes one array row by row; the number of rows is filled in at `close`. Not safe for concurrent calls. */
export class NpyWriter {
  readonly #file: FileHandle;
  readonly #dimensions: number;
  readonly #type: NpyType;
  readonly #buffer: Uint8Array;
  readonly #values: Float16Array | Float32Array;
  #filled = 0;
  /** Rows written so far. */
  rows = 0;

  private constructor(file: FileHandle, dimensions: number, type: NpyType) {
    this.#file = file;
    this.#dimensions = dimensions;
    this.#type = type;
    const width = type === '<f2' ? 2 : 4;
    const capacity = dimensions * Math.max(1, Math.floor(WRITE_BYTES / (dimensions * width)));
    this.#values = npyValues(type, capacity);
    this.#buffer = new Uint8Array(this.#values.buffer);
  }

  static async open(path: string, dimensions: number, type: NpyType): Promise<NpyWriter> {
    if (!Number.isInteger(dimensions) || dimensions < 1) throw new RangeError(`an array of ${dimensions} dimensions can't be written`);
    const file = await open(path, 'w');
    try {
      await file.write(npyHeader(0, dimensions, type));
      return new NpyWriter(file, dimensions, type);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Adds one row of `dimensions` values; float16 rounds to nearest even, as numpy does. */
  async writeRow(row: Float32Array): Promise<void> {
    if (row.length !== this.#dimensions) throw new RangeError(`a row of ${row.length} values does not fit an array of ${this.#dimensions}`);
    this.#values.set(row, this.#filled);
    this.#filled += row.length;
    this.rows++;
    if (this.#filled === this.#values.length) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#filled > 0) await this.#file.write(this.#buffer, 0, this.#filled * this.#values.BYTES_PER_ELEMENT);
    this.#filled = 0;
  }

  /** Writes the header, makes the file durable and closes it. */
  async close(): Promise<void> {
    try {
      await this.#flush();
      await this.#file.write(npyHeader(this.rows, this.#dimensions, this.#type), 0, undefined, 0);
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }

  /** Closes without a header that counts: the file is not to be used. */
  async abort(): Promise<void> {
    await this.#file.close();
  }
}
