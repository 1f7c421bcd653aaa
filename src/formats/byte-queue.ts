const FIRST_ROOM = 65_536;

/**
 * Bytes of a stream that are not used up yet, with their place in the stream. They lie in one buffer that is used again and
 * again: what `bytes` gave is valid until the next `fill`.
 */
export class ByteQueue {
  readonly #source: AsyncIterator<Uint8Array>;
  #room: Buffer = Buffer.alloc(FIRST_ROOM);
  #start = 0;
  #end = 0;
  /** Offset of `bytes[0]` in the stream. */
  offset = 0;
  /** True once the source has ended; `bytes` is then all that is left. */
  ended = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  get bytes(): Buffer {
    return this.#room.subarray(this.#start, this.#end);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** Reads until `bytes` has at least `length` bytes or the source has ended. */
  async fill(length: number): Promise<void> {
    while (this.length < length && !this.ended) {
      const next = await this.#source.next();
      if (next.done) this.ended = true;
      else this.#append(next.value);
    }
  }

  #append(piece: Uint8Array): void {
    if (this.#end + piece.length > this.#room.length) {
      const wanted = this.length + piece.length;
      const target = wanted > this.#room.length ? Buffer.allocUnsafeSlow(2 * wanted) : this.#room;
      this.#room.copy(target, 0, this.#start, this.#end);
      this.#room = target;
      this.#end = this.length;
      this.#start = 0;
    }
    this.#room.set(piece, this.#end);
    this.#end += piece.length;
  }

  /** Lets go of the first `length` bytes. */
  skip(length: number): void {
    this.#start += length;
    this.offset += length;
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
