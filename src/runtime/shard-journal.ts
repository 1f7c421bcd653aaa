import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, rmdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import type { Journal } from '../contracts/stage.ts';
import { localHome } from './local-home.ts';
import { stableJson } from './stable-json.ts';

/** Bytes of a key at the start of a file, and of what stands before a value: its length, its checksum, its item. */
const KEY_BYTES = 32;
const HEAD_BYTES = 12;

interface Place {
  file: FileHandle;
  start: number;
  length: number;
}

/**
 * What a shard notes while it is made, in `_journal/STAGE/` of the run's local home, so that a killed process costs only what it was
 * doing. Each try writes a file of its own and reads those of the tries before, whose ends may be torn: so nothing is written twice,
 * and two processes that make one shard at a time do not disturb each other. What other options, inputs or versions have noted is
 * removed unread. The files go when the shard is published.
 */
export class ShardJournal implements Journal<unknown> {
  readonly #folder: string;
  readonly #shard: string;
  readonly #key: Buffer;
  readonly #places = new Map<number, Place>();
  readonly #read: FileHandle[] = [];
  #written: Promise<FileHandle> | undefined;
  /** What waits for the write that is under way: it is written as one. */
  #waiting: Buffer[] = [];
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(folder: string, shard: string, key: Buffer) {
    this.#folder = folder;
    this.#shard = shard;
    this.#key = key;
  }

  /** `key`: all that decides what is noted, as plain data. */
  static async open(location: string, stage: string, shard: string, key: unknown): Promise<ShardJournal> {
    const folder = await journalFolder(location, stage);
    const journal = new ShardJournal(folder, shard, createHash('sha256').update(stableJson(key)).digest());
    try {
      for (const name of await filesOf(folder, shard)) await journal.#readFile(join(folder, name));
    } catch (error) {
      await journal.close();
      throw error;
    }
    return journal;
  }

  async recall(item: number): Promise<unknown> {
    const place = this.#places.get(item);
    if (!place) return undefined;
    return deserialize(await bytesAt(place.file, place.start, place.length));
  }

  async note(item: number, value: unknown): Promise<void> {
    // Of a try that has failed, some tasks may still be at work.
    if (this.#closed) return;
    const payload = serialize(value);
    const record = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
    record.writeUInt32LE(payload.length, 0);
    record.writeUInt32LE(item, 8);
    payload.copy(record, HEAD_BYTES);
    record.writeUInt32LE(crc32(record.subarray(8)), 4);
    this.#written ??= this.#create();
    this.#waiting.push(record);
    return (this.#next ??= this.#writeNext());
  }

  /** Writes, after the write before, all that has come until then: records that are noted together cost one call. */
  #writeNext(): Promise<void> {
    const written = this.#last.then(async () => {
      this.#next = undefined;
      const records = this.#waiting.splice(0);
      // One call may write a part only; appendFile writes the rest.
      await (await this.#written!).appendFile(records.length === 1 ? records[0]! : Buffer.concat(records));
    });
    this.#last = written.catch(() => undefined);
    return written;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    for (const file of this.#read.splice(0)) await file.close();
    await (await this.#written?.catch(() => undefined))?.close();
    this.#written = undefined;
  }

  /** The shard is published: nothing that was noted is needed any more. */
  async remove(): Promise<void> {
    await this.close();
    // The folder stays: other shards may be about to write into it.
    for (const name of await filesOf(this.#folder, this.#shard)) await rm(join(this.#folder, name), { force: true });
  }

  async #create(): Promise<FileHandle> {
    await mkdir(this.#folder, { recursive: true });
    const file = await open(join(this.#folder, `${this.#shard}-${randomUUID()}.journal`), 'ax', 0o600);
    try {
      await file.appendFile(this.#key);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #readFile(path: string): Promise<void> {
    const file = await open(path, 'r');
    // From here on `close` closes it.
    this.#read.push(file);
    const { size } = await file.stat();
    const key = size < KEY_BYTES ? undefined : await bytesAt(file, 0, KEY_BYTES);
    if (!key?.equals(this.#key)) {
      this.#read.pop();
      await file.close();
      await rm(path, { force: true });
      return;
    }
    for (let at = KEY_BYTES; at + HEAD_BYTES <= size;) {
      const head = await bytesAt(file, at, HEAD_BYTES);
      const length = head.readUInt32LE(0);
      // The end was torn when the process was killed.
      if (at + HEAD_BYTES + length > size) return;
      const checked = await bytesAt(file, at + 8, 4 + length);
      if (crc32(checked) !== head.readUInt32LE(4)) return;
      this.#places.set(head.readUInt32LE(8), { file, start: at + HEAD_BYTES, length });
      at += HEAD_BYTES + length;
    }
  }
}

/** When a stage is whole: removes its folder, with what shards have noted that were skipped or are planned no more. */
export async function removeJournals(location: string, stage: string): Promise<void> {
  const folder = await journalFolder(location, stage);
  await rm(folder, { recursive: true, force: true });
  // The one above it, unless another stage has one there.
  await rmdir(join(folder, '..')).catch(() => undefined);
}

async function journalFolder(location: string, stage: string): Promise<string> {
  return join(await localHome(location), '_journal', stage);
}

async function filesOf(folder: string, shard: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(`${shard}-`)).sort();
}

async function bytesAt(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let end = 0;
  while (end < length) {
    const { bytesRead } = await file.read(bytes, end, length - end, start + end);
    if (bytesRead === 0) throw new Error('a journal has become shorter while it was read');
    end += bytesRead;
  }
  return bytes;
}
