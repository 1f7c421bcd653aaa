import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';

/**
 * A file of float16 vectors addressed by row: the durable copy of an index's vectors, from which candidates are
 * rescored. Reads are synchronous: a row of 1 to 2 KB out of the page cache costs less than a promise.
 */
export class FlatVectors {
  readonly #file: number;
  readonly #dimensions: number;
  readonly #row: Float16Array;
  readonly #bytes: Uint8Array;

  private constructor(file: number, dimensions: number) {
    this.#file = file;
    this.#dimensions = dimensions;
    this.#row = new Float16Array(dimensions);
    this.#bytes = new Uint8Array(this.#row.buffer);
  }

  static create(path: string, dimensions: number): FlatVectors {
    return new FlatVectors(openSync(path, 'w+'), dimensions);
  }

  static open(path: string, dimensions: number): FlatVectors {
    return new FlatVectors(openSync(path, 'r'), dimensions);
  }

  write(row: number, vector: Float32Array): void {
    this.#row.set(vector);
    writeSync(this.#file, this.#bytes, 0, this.#bytes.byteLength, row * this.#bytes.byteLength);
  }

  read(row: number): Float32Array {
    const bytes = readSync(this.#file, this.#bytes, 0, this.#bytes.byteLength, row * this.#bytes.byteLength);
    if (bytes !== this.#bytes.byteLength) throw new Error(`the vector file has no row ${row}`);
    return Float32Array.from(this.#row);
  }

  /** Inner product of a row with a query of the same length. */
  dot(row: number, query: Float32Array): number {
    const vector = this.read(row);
    let sum = 0;
    for (let i = 0; i < this.#dimensions; i++) sum += vector[i]! * query[i]!;
    return sum;
  }

  /** Makes what was written durable. */
  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}
