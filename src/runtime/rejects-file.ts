import { Reject } from '../contracts/records.ts';
import { countParquetRows, ParquetFileWriter } from '../formats/parquet.ts';
import { Publication } from './publication.ts';

/** The file of rejects of one shard: written beside its place and moved there whole. */
export class RejectsFile {
  readonly writer: ParquetFileWriter<Reject>;
  readonly #publication: Publication;
  readonly #temporary: string;

  private constructor(writer: ParquetFileWriter<Reject>, publication: Publication, temporary: string) {
    this.writer = writer;
    this.#publication = publication;
    this.#temporary = temporary;
  }

  static async open(path: string): Promise<RejectsFile> {
    const publication = new Publication({ reached: () => undefined });
    const temporary = await publication.file(path);
    return new RejectsFile(await ParquetFileWriter.open(temporary, Reject), publication, temporary);
  }

  /** Throws where the file does not hold as many rows as expected. */
  async publish(expected: number): Promise<void> {
    await this.writer.close();
    const rows = await countParquetRows(this.#temporary);
    if (rows !== expected) throw new Error(`${this.#temporary}: not all rejects were written: ${rows} rows of ${expected}`);
    await this.#publication.commit();
  }

  async discard(): Promise<void> {
    await this.writer.abort();
    await this.#publication.discard();
  }
}
