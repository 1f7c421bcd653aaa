import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { extract, type Pack, pack } from 'tar-stream';

/**
 * Webdataset shards: tar files in which the members of a sample stand together and share a name up to its first dot.
 * Written as USTAR with nothing that varies (time, owner), so that the same samples give the same bytes.
 * Format: webdataset/writer.py and webdataset/tariterators.py (0.2.111).
 */

/** One sample: its key, and its members by suffix (`jpg`, `txt`, `json`) in file order. */
export interface TarSample {
  key: string;
  members: Map<string, Uint8Array>;
}

/** Where the bytes of a member lie in the tar. */
export interface TarMember {
  offset: number;
  size: number;
}

/** Bytes gathered before they go to the file: a header alone is 512. */
const WRITE_BYTES = 1024 * 1024;
const READ_BYTES = 1024 * 1024;

const MEMBER_NAME = /^((?:.*\/|)[^.]+)[.]([^/]*)$/s;

/** To what a tar is written. */
interface TarFile {
  appendFile(data: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Writes samples to one tar, in the order of the calls. */
export class SampleWriter {
  readonly #file: TarFile;
  readonly #pack: Pack = pack();
  readonly #copying: Promise<void>;
  #failure: Error | undefined;
  /** Samples written so far. */
  samples = 0;

  private constructor(file: TarFile) {
    this.#file = file;
    this.#copying = this.#copy();
  }

  static async open(path: string): Promise<SampleWriter> {
    return new SampleWriter(await open(path, 'w'));
  }

  /** One that writes no file: what would be in it is counted and hashed. */
  static hashing(): { writer: SampleWriter; checksum(): { bytes: number; sha256: string } } {
    const hash = createHash('sha256');
    let bytes = 0;
    const file: TarFile = {
      appendFile: async (data) => {
        hash.update(data);
        bytes += data.byteLength;
      },
      sync: async () => undefined,
      close: async () => undefined,
    };
    return { writer: new SampleWriter(file), checksum: () => ({ bytes, sha256: hash.copy().digest('hex') }) };
  }

  /** Adds one sample. The key has no dot: a reader would cut it there. Members are written in the order given. */
  async write(key: string, members: readonly (readonly [suffix: string, bytes: Uint8Array])[]): Promise<void> {
    if (key.includes('.')) throw new Error(`the sample key ${key} has a dot: webdataset readers would cut it there`);
    for (const [suffix, bytes] of members) await this.#writeMember(`${key}.${suffix}`, bytes);
    this.samples++;
  }

  #writeMember(name: string, bytes: Uint8Array): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    // As webdataset/writer.py writes it, but for the time: the hour of writing is no part of the data.
    const header = { name, size: bytes.byteLength, mode: 0o444, mtime: new Date(0), uname: 'bigdata', gname: 'bigdata' };
    return new Promise<void>((resolve, reject) => {
      // After a failure of the file the pack is destroyed, which ends the entry with an error that says nothing.
      this.#pack.entry(header, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), (error) => (error ? reject(this.#failure ?? error) : resolve()));
    });
  }

  /** Never rejects: a failure is kept for the next call. */
  async #copy(): Promise<void> {
    let chunks: Uint8Array[] = [];
    let size = 0;
    const flush = async (): Promise<void> => {
      // appendFile goes on after a short write, which write and writev leave to the caller.
      if (size > 0) await this.#file.appendFile(Buffer.concat(chunks)).catch((error: Error) => (this.#failure = error));
      if (this.#failure) throw this.#failure;
      chunks = [];
      size = 0;
    };
    try {
      for await (const chunk of this.#pack as AsyncIterable<Uint8Array>) {
        chunks.push(chunk);
        size += chunk.byteLength;
        if (size >= WRITE_BYTES) await flush();
      }
      await flush();
    } catch (error) {
      this.#failure ??= error as Error;
      this.#pack.destroy();
    }
  }

  /** Ends the archive, makes the file durable and closes it. */
  async close(): Promise<void> {
    try {
      this.#pack.finalize();
      await this.#copying;
      if (this.#failure) throw this.#failure;
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }

  /** Closes without an end: the file is not to be used. */
  async abort(): Promise<void> {
    this.#pack.destroy();
    await this.#copying;
    await this.#file.close();
  }
}

/**
 * Reads samples in file order, one in memory at a time. Members whose name has no dot, `__*__` names and everything
 * that is no regular file are passed over, as webdataset does. Throws where a suffix repeats within a sample, and
 * where the file is cut or is no tar.
 */
export async function* readSamples(path: string): AsyncGenerator<TarSample> {
  let sample: TarSample | undefined;
  for await (const { name, stream } of entries(path)) {
    const [, key, suffix] = MEMBER_NAME.exec(name) ?? [];
    if (key === undefined || suffix === undefined || /^__.*__$/s.test(name)) {
      stream.resume();
      continue;
    }
    if (key !== sample?.key) {
      if (sample) yield sample;
      sample = { key, members: new Map() };
    }
    const lower = suffix.toLowerCase();
    if (sample.members.has(lower)) throw new Error(`${path}: the member ${name} occurs twice in its sample. The shard is not a webdataset; make it again.`);
    sample.members.set(lower, await bytesOf(stream));
  }
  if (sample) yield sample;
}

/** Where each regular member's bytes lie, by name, in file order. The whole tar is read once: the file, or `bytes` where it lies elsewhere. */
export async function indexTar(path: string, bytes?: AsyncIterable<Uint8Array>): Promise<Map<string, TarMember>> {
  const index = new Map<string, TarMember>();
  for await (const { name, size, offset, stream } of entries(path, bytes)) {
    index.set(name, { offset, size });
    stream.resume();
  }
  return index;
}

interface Entry {
  name: string;
  size: number;
  /** Of the first byte of the content. */
  offset: number;
  stream: AsyncIterable<Uint8Array> & { resume(): void };
}

async function* entries(path: string, bytes?: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const archive = extract();
  // Errors of the file (missing, unreadable) and of the archive both end the loop below.
  const source = bytes ? Readable.from(bytes, { objectMode: false }) : createReadStream(path, { highWaterMark: READ_BYTES });
  pipeline(source, archive as unknown as NodeJS.WritableStream, () => undefined);
  try {
    for await (const entry of archive) {
      const { name, size, type } = entry.header;
      const stream = entry as unknown as Entry['stream'];
      // entry.offset is that of its header block.
      if (type === 'file' || type === 'contiguous-file') yield { name, size, offset: entry.offset + 512, stream };
      else stream.resume();
    }
  } catch (error) {
    throw new Error(`${path} is not a whole tar file: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    source.destroy();
  }
}

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  // A single chunk is a view of the read buffer: it is copied so that a small member doesn't keep 1 MiB alive.
  return new Uint8Array(Buffer.concat(chunks));
}
