/** Bytes of a stream that are not used up yet, with their place in the stream. */
export class ByteQueue {
  readonly #source: AsyncIterator<Uint8Array>;
  #bytes: Buffer = Buffer.alloc(0);
  /** Place of `bytes[0]` in the stream. */
  offset = 0;
  /** True once the source has ended; `bytes` is then all that is left. */
  ended = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Reads until `bytes` has at least `length` bytes or the source has ended. */
  async fill(length: number): Promise<void> {
    const parts: Uint8Array[] = [this.#bytes];
    let total = this.#bytes.length;
    while (total < length && !this.ended) {
      const next = await this.#source.next();
      if (next.done) this.ended = true;
      else {
        parts.push(next.value);
        total += next.value.length;
      }
    }
    if (parts.length > 1) this.#bytes = Buffer.concat(parts, total);
  }

  /** Lets go of the first `length` bytes. */
  skip(length: number): void {
    this.#bytes = this.#bytes.subarray(length);
    this.offset += length;
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
