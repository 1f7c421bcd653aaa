/**
 * Digests by their first 64 bits: 8 bytes of memory each, whatever their length. That another digest is taken for one of them has a chance of
 * 1 in 10^12 with ten million digests, for each look.
 */
export class DigestSet {
  #values = new BigUint64Array(1024);
  #sorted = true;
  size = 0;

  /** Hexadecimal digits of either case, or bytes; 64 bits or more. */
  add(digest: string | Uint8Array): void {
    if (this.size === this.#values.length) {
      const larger = new BigUint64Array(this.size * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.size++] = startOf(digest);
    this.#sorted = false;
  }

  has(digest: string | Uint8Array): boolean {
    if (!this.#sorted) {
      this.#values = this.#values.slice(0, this.size).sort();
      this.#sorted = true;
    }
    const wanted = startOf(digest);
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#values[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low < this.size && this.#values[low] === wanted;
  }
}

function startOf(digest: string | Uint8Array): bigint {
  return typeof digest === 'string' ? BigInt(`0x${digest.slice(0, 16)}`) : Buffer.from(digest.buffer, digest.byteOffset, 8).readBigUInt64BE();
}
