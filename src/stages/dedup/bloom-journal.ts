import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

/** Bytes of a key in a journal: four 32-bit words, little-endian. */
export const KEY_BYTES = 16;
/** Journals are read in pieces of this many bytes. */
const PIECE_BYTES = 65_536 * KEY_BYTES;

/** Name of a shard's journal in the dataset. */
export function journalName(shard: string): string {
  return `_bloom/${shard}.keys`;
}

/** Writes the keys that a shard keeps, those of a batch at a time. */
export class JournalWriter {
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');
  #words = new Uint32Array(4 * 1024);
  #length = 0;
  /** Keys that were added. */
  keys = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<JournalWriter> {
    return new JournalWriter(await open(path, 'w'));
  }

  add(key: Uint32Array): void {
    if (this.#length + 4 > this.#words.length) {
      const larger = new Uint32Array(2 * this.#words.length);
      larger.set(this.#words);
      this.#words = larger;
    }
    this.#words.set(key, this.#length);
    this.#length += 4;
    this.keys++;
  }

  /** Moves the keys at hand to the file. */
  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const bytes = new Uint8Array(this.#words.buffer, 0, 4 * this.#length);
    this.#hash.update(bytes);
    // appendFile goes on after a short write.
    await this.#file.appendFile(bytes);
    this.#length = 0;
  }

  /** sha256 of all keys. */
  async close(): Promise<string> {
    try {
      await this.flush();
    } finally {
      await this.#file.close();
    }
    return this.#hash.digest('hex');
  }

  /** Closes a journal that is not to be used. */
  async abort(): Promise<void> {
    await this.#file.close();
  }
}

/** Calls `add` with each key of a journal; returns how many there are. A key is used again by the next call. */
export async function replayJournal(path: string, add: (key: Uint32Array) => void): Promise<number> {
  const words = new Uint32Array(PIECE_BYTES / 4);
  const file = await open(path, 'r');
  let keys = 0;
  try {
    for (;;) {
      const { bytesRead } = await file.read(new Uint8Array(words.buffer), 0, PIECE_BYTES, keys * KEY_BYTES);
      const whole = Math.floor(bytesRead / KEY_BYTES);
      for (let i = 0; i < whole; i++) add(words.subarray(4 * i, 4 * i + 4));
      keys += whole;
      if (whole === 0) return keys;
    }
  } finally {
    await file.close();
  }
}
