import { rm } from 'node:fs/promises';
import { Reject } from '../contracts/records.ts';
import { countParquetRows } from '../formats/parquet.ts';
import { ParquetFileWriter } from '../formats/parquet-writer.ts';
import type { Storage } from '../contracts/storage.ts';

/** The file of rejects of one shard: written under a temporary name and moved into place whole. */
export class RejectsFile {
  readonly writer: ParquetFileWriter<Reject>;
  readonly #storage: Storage;
  readonly #name: string;
  readonly #temporary: string;

  private constructor(writer: ParquetFileWriter<Reject>, storage: Storage, name: string, temporary: string) {
    this.writer = writer;
    this.#storage = storage;
    this.#name = name;
    this.#temporary = temporary;
  }

  static async open(storage: Storage, scratch: string, name: string): Promise<RejectsFile> {
    const temporary = await storage.temporary(name, scratch);
    return new RejectsFile(await ParquetFileWriter.open(temporary, Reject), storage, name, temporary);
  }

  /** Throws where the file does not hold as many rows as expected. */
  async publish(expected: number): Promise<void> {
    await this.writer.close();
    const rows = await countParquetRows(this.#temporary);
    if (rows !== expected) throw new Error(`${this.#temporary}: not all rejects were written: ${rows} rows of ${expected}`);
    await this.#storage.publish(this.#temporary, this.#name);
  }

  async discard(): Promise<void> {
    await this.writer.abort().catch(() => undefined);
    await rm(this.#temporary, { force: true });
  }
}
