import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { ShardError } from '../contracts/errors.ts';
import type { ParquetSettings, RowWriter, SampleFileWriter, ShardFiles, ShardWriter, VectorWriter } from '../contracts/shard-files.ts';
import type { ShardFile } from '../contracts/shard-stats.ts';
import { npyShape } from '../formats/npy.ts';
import { NpyWriter } from '../formats/npy-writer.ts';
import { countParquetRows } from '../formats/parquet.ts';
import { ParquetFileWriter } from '../formats/parquet-writer.ts';
import { SampleFolderWriter } from '../formats/sample-folder.ts';
import { indexTar, SampleWriter } from '../formats/webdataset.ts';
import type { Storage } from '../contracts/storage.ts';
import { checksum } from './checksum.ts';

/** A file under its temporary name, and what closes and counts it. */
interface OpenFile {
  name: string;
  temporary: string;
  written(): number;
  close(): Promise<void>;
  abort(): Promise<void>;
  /** Items in the closed file. */
  count(): Promise<number>;
  /** Of a file that is not kept: what it would be. */
  checksum?(): { bytes: number; sha256: string };
}

/**
 * The files of one shard in a storage: written under temporary names, then closed, counted by reading again, hashed and moved
 * into place in the order in which they were opened. The runtime writes the marker after that.
 */
export class PublishedFiles implements ShardFiles {
  readonly #storage: Storage;
  readonly #scratch: string;
  readonly #keepsTars: boolean;
  readonly #files: OpenFile[] = [];

  /** `scratch` is a local folder of the shard, for storages that are not local. Tars that are not kept are counted and hashed only. */
  constructor(storage: Storage, scratch: string, { keepsTars = true }: { keepsTars?: boolean } = {}) {
    this.#storage = storage;
    this.#scratch = scratch;
    this.#keepsTars = keepsTars;
  }

  async parquet<S extends z.ZodObject>(name: string, schema: S, settings: ParquetSettings = {}): Promise<RowWriter<z.output<S>>> {
    const temporary = await this.#temporary(name);
    const writer = await ParquetFileWriter.open(temporary, schema, settings);
    const { items } = settings;
    let written = 0;
    this.#add(name, temporary, {
      written: () => written,
      close: () => writer.close(),
      abort: () => writer.abort(),
      count: () => countParquetRows(temporary, items),
    });
    return {
      name,
      write: (row) => {
        if (items === undefined || (row[items] ?? null) !== null) written++;
        return writer.write(row);
      },
      writeColumns: (rows, columns) => {
        written += rows;
        return writer.writeColumns(rows, columns);
      },
      get written() {
        return written;
      },
    };
  }

  async samples(name: string): Promise<SampleFileWriter> {
    const temporary = await this.#temporary(name);
    const hashed = this.#keepsTars ? undefined : SampleWriter.hashing();
    if (!hashed) return this.#addSamples(name, temporary, await SampleWriter.open(temporary), async () => (await indexTar(temporary)).keys());
    const { writer } = hashed;
    this.#add(name, temporary, {
      written: () => writer.samples,
      close: () => writer.close(),
      abort: () => writer.abort(),
      count: async () => writer.samples,
      checksum: () => hashed.checksum(),
    });
    return samplesTo(name, writer);
  }

  async folder(name: string): Promise<SampleFileWriter> {
    const temporary = await this.#temporary(name);
    return this.#addSamples(name, temporary, await SampleFolderWriter.open(temporary), () => readdir(temporary));
  }

  /** `members` gives the names of all members, by reading again. */
  #addSamples(name: string, temporary: string, writer: SampleWriter | SampleFolderWriter, members: () => Promise<Iterable<string>>): SampleFileWriter {
    this.#add(name, temporary, {
      written: () => writer.samples,
      close: () => writer.close(),
      abort: () => writer.abort(),
      count: async () => countSamples(await members()),
    });
    return samplesTo(name, writer);
  }

  async npy(name: string, dimensions: number, type: '<f2' | '<f4'): Promise<VectorWriter> {
    const temporary = await this.#temporary(name);
    const writer = await NpyWriter.open(temporary, dimensions, type);
    const count = async (): Promise<number> => (await npyShape(temporary)).rows;
    this.#add(name, temporary, { written: () => writer.rows, close: () => writer.close(), abort: () => writer.abort(), count });
    return {
      name,
      write: (row) => writer.writeRow(row),
      get written() {
        return writer.rows;
      },
    };
  }

  async path(name: string): Promise<string> {
    const temporary = await this.#temporary(name);
    const nothing = async (): Promise<void> => undefined;
    this.#add(name, temporary, { written: () => 0, close: nothing, abort: nothing, count: async () => 0 });
    return temporary;
  }

  /**
   * Closes all files; the sum of the items in those that `writers` name, by reading them again. Throws ShardError where a file does
   * not hold what was written to it.
   */
  async close(writers: readonly ShardWriter[]): Promise<number> {
    for (const file of this.#files) await file.close();
    let items = 0;
    for (const file of this.#files) {
      const [count, written] = [await file.count(), file.written()];
      if (count !== written)
        throw new ShardError(`${file.name} in ${this.#storage.location}: ${written} items were written, but the file holds ${count}. Check the disk.`);
      if (writers.some(({ name }) => name === file.name)) items += count;
    }
    return items;
  }

  /** Bytes and sha256 of every file, of a folder's files one by one; sorted by name. After `close`. */
  async checksums(): Promise<ShardFile[]> {
    const files: ShardFile[] = [];
    for (const { name, temporary, checksum: known } of this.#files) {
      if (known) files.push({ name, ...known() });
      else if (!(await stat(temporary)).isDirectory()) files.push({ name, ...(await checksum(temporary)) });
      else for (const inner of await filesBelow(temporary)) files.push({ name: `${name}/${inner}`, ...(await checksum(join(temporary, inner))) });
    }
    return files.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Moves all files into place. */
  async publish(signal: AbortSignal): Promise<void> {
    for (const { temporary, name, checksum: unkept } of this.#files) if (!unkept) await this.#storage.publish(temporary, name, signal);
  }

  /** What the marker says of files that are not kept. */
  removed(atMs: number): { removed?: number; kept?: string[] } {
    const kept = this.#files.filter((file) => !file.checksum).map(({ name }) => name);
    return kept.length === this.#files.length ? {} : { removed: Math.floor(atMs / 1000), kept };
  }

  /** Closes and removes what was written, after an error. Never throws: the error is what counts. */
  async discard(): Promise<void> {
    await Promise.allSettled(this.#files.map((file) => file.abort()));
    await Promise.allSettled(this.#files.map(({ temporary }) => rm(temporary, { recursive: true, force: true })));
  }

  async #temporary(name: string): Promise<string> {
    if (this.#files.some((file) => file.name === name)) throw new Error(`the shard opens ${name} twice`);
    return this.#storage.temporary(name, this.#scratch);
  }

  #add(name: string, temporary: string, file: Omit<OpenFile, 'name' | 'temporary'>): void {
    this.#files.push({ name, temporary, ...file });
  }
}

function samplesTo(name: string, writer: SampleWriter | SampleFolderWriter): SampleFileWriter {
  return {
    name,
    write: (key, members) => writer.write(key, members),
    get written() {
      return writer.samples;
    },
  };
}

function countSamples(members: Iterable<string>): number {
  const keys = new Set<string>();
  for (const name of members) keys.add(name.slice(0, name.indexOf('.', name.lastIndexOf('/') + 1)));
  return keys.size;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
