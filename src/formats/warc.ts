import { once } from 'node:events';
import { createInflateRaw } from 'node:zlib';
import { ByteQueue } from './byte-queue.ts';
import { declaredSize, headerLength, inflateMember, inflateMembers, isMember, memberStarts, nextMemberStart } from './gzip-member.ts';
import { MemberInflater } from './member-inflater.ts';
import { RecordSplitter } from './split-records.ts';
import { beginsRecord, type DamageCount, type RecordBatch, skipLineEnds, type WarcRecord } from './warc-record.ts';

/**
 * Reads WARC (so also WAT) files, gzip or plain, in batches of whole records. Gzip is inflated many members at a
 * time; where anything is wrong in a batch, its members are taken one by one and a damaged one costs itself.
 * Memory: a few batches and at most one record of `maxRecordBytes`.
 */
export interface WarcReadOptions {
  /** A record larger than this, uncompressed, is skipped. */
  maxRecordBytes: number;
  damage: DamageCount;
}

/** Compressed bytes that are inflated together; more costs memory, less costs calls. */
const BATCH_BYTES = 1_048_576;
/** Content that is inflated together. A batch that declares more is taken in parts. */
const BATCH_CONTENT = 8 * 1_048_576;
/** A member of which this much does not suffice is inflated as a stream. */
const LARGE_MEMBER = 16 * BATCH_BYTES;

/** Whole records of a crawl file in file order, in batches; a batch is valid until the next one is asked for. */
export async function* readWarc(source: AsyncIterable<Uint8Array>, options: WarcReadOptions): AsyncGenerator<RecordBatch> {
  const queue = new ByteQueue(source);
  try {
    await queue.fill(BATCH_BYTES);
    if (isCompressed(queue.bytes)) yield* readGzip(queue, options);
    else yield* readPlain(queue, options);
  } finally {
    await queue.close();
  }
}

/** Also where the first member is damaged: a file that does not begin as WARC and has a member further on. */
function isCompressed(bytes: Buffer): boolean {
  return isMember(bytes, 0) || (!beginsRecord(bytes, skipLineEnds(bytes, 0, bytes.length)) && nextMemberStart(bytes, 0) >= 0);
}

async function* readPlain(queue: ByteQueue, { maxRecordBytes, damage }: WarcReadOptions): AsyncGenerator<RecordBatch> {
  const splitter = new RecordSplitter(maxRecordBytes, damage);
  for (let wanted = BATCH_BYTES; ;) {
    await queue.fill(wanted);
    const { bytes, ended, offset } = queue;
    const records: WarcRecord[] = [];
    const used = splitter.split({ bytes, from: 0, end: bytes.length, last: ended }, records, (start) => offset + start);
    if (records.length > 0) yield { bytes, records };
    queue.skip(used);
    if (ended && queue.length === 0) return;
    wanted = used === 0 ? queue.length * 2 : queue.length + BATCH_BYTES;
  }
}

/** Inflaters that no file is read with at the moment: one takes 10 MB and milliseconds to make, more than a small file to read. */
const idleInflaters: MemberInflater[] = [];

async function* readGzip(queue: ByteQueue, options: WarcReadOptions): AsyncGenerator<RecordBatch> {
  const inflater = idleInflaters.pop() ?? new MemberInflater(2 * BATCH_BYTES, BATCH_CONTENT);
  try {
    yield* readMembers(queue, inflater, options);
  } finally {
    idleInflaters.push(inflater);
  }
}

async function* readMembers(queue: ByteQueue, inflater: MemberInflater, options: WarcReadOptions): AsyncGenerator<RecordBatch> {
  // Up to this place in the file members are taken one by one: something there is wrong.
  let carefulUntil = 0;
  for (;;) {
    await queue.fill(BATCH_BYTES);
    if (queue.length === 0) return;
    if (queue.offset < carefulUntil) {
      yield* readOneMember(queue, options);
      continue;
    }
    const tried = inflateAhead(queue, inflater, options);
    if (tried) yield tried;
    // Not only the members that were tried: in a file full of false starts each would be searched for anew.
    else carefulUntil = queue.offset + queue.length;
  }
}

/** The fast way: several members at once. Nothing is used up where they are not all sound. */
function inflateAhead(queue: ByteQueue, inflater: MemberInflater, { maxRecordBytes, damage }: WarcReadOptions): RecordBatch | undefined {
  const { bytes, ended, offset } = queue;
  const starts = memberStarts(bytes, 0);
  if (starts[0] !== 0) return undefined;
  // The end of the last member shows only in the next one's start, or in the end of the file.
  if (ended) starts.push(bytes.length);
  let size = 0;
  let count = 0;
  const ends: number[] = [];
  while (count + 1 < starts.length) {
    const declared = declaredSize(bytes, starts[count + 1]!);
    if (count > 0 && size + declared > BATCH_CONTENT) break;
    size += declared;
    ends.push(size);
    count++;
  }
  // Deflate makes at most 1032 bytes of one: a larger declaration is a lie.
  if (count === 0 || size > Math.max(BATCH_CONTENT, maxRecordBytes) || size > 1100 * starts[count]!) return undefined;
  const content = inflater.inflate(bytes, starts, ends) ?? inflateMembers(bytes.subarray(0, starts[count]), size);
  if (!content) return undefined;
  const splitter = new RecordSplitter(maxRecordBytes, damage);
  const records: WarcRecord[] = [];
  for (let i = 0, from = 0; i < count; from = ends[i++]!) {
    const memberOffset = offset + starts[i]!;
    splitter.split({ bytes: content, from, end: ends[i]!, last: true }, records, () => memberOffset);
  }
  queue.skip(starts[count]!);
  return { bytes: content, records };
}

async function* readOneMember(queue: ByteQueue, options: WarcReadOptions): AsyncGenerator<RecordBatch> {
  const { damage, maxRecordBytes } = options;
  if (!isMember(queue.bytes, 0)) {
    if (queue.bytes.some((byte) => byte !== 0)) damage.add(queue.ended && queue.length < 18 ? 'truncated' : 'gzip');
    await seekMember(queue, 1);
    return;
  }
  for (;;) {
    const member = inflateMember(queue.bytes, maxRecordBytes);
    if ('content' in member) {
      const records: WarcRecord[] = [];
      const { offset } = queue;
      new RecordSplitter(maxRecordBytes, damage).split({ bytes: member.content, from: 0, end: member.content.length, last: true }, records, () => offset);
      queue.skip(member.length);
      yield { bytes: member.content, records };
      return;
    }
    if (member.failed === 'too-large') {
      yield* streamMember(queue, options);
      return;
    }
    if (member.failed === 'incomplete' && !queue.ended) {
      if (queue.length >= LARGE_MEMBER) {
        yield* streamMember(queue, options);
        return;
      }
      await queue.fill(queue.length * 2);
      continue;
    }
    const next = nextMemberStart(queue.bytes, 1);
    damage.add(member.failed === 'incomplete' && next < 0 ? 'truncated' : 'gzip');
    await seekMember(queue, 1);
    return;
  }
}

/** Skips to the next place at which a member seems to begin, or to the end. */
async function seekMember(queue: ByteQueue, from: number): Promise<void> {
  for (;;) {
    const next = nextMemberStart(queue.bytes, from);
    if (next >= 0) {
      queue.skip(next);
      return;
    }
    const { length } = queue.bytes;
    if (queue.ended) {
      queue.skip(length);
      return;
    }
    // A header may lie across the end.
    queue.skip(Math.max(0, length - 9));
    from = 0;
    await queue.fill(BATCH_BYTES);
  }
}

/**
 * A member too large to hold: a whole file compressed as one, or a bomb. Its content goes through the splitter, which
 * skips records that are too large, so memory stays bounded.
 */
async function* streamMember(queue: ByteQueue, { maxRecordBytes, damage }: WarcReadOptions): AsyncGenerator<RecordBatch> {
  const memberOffset = queue.offset;
  const start = headerLength(queue.bytes, 0)!;
  queue.skip(start);
  const inflate = createInflateRaw({ chunkSize: BATCH_BYTES });
  const content = new ByteQueue(inflate);
  const splitter = new RecordSplitter(maxRecordBytes, damage);
  const feeding = feed(queue, inflate);
  try {
    for (let wanted = BATCH_BYTES; ;) {
      await content.fill(wanted);
      const { bytes, ended } = content;
      const records: WarcRecord[] = [];
      const used = splitter.split({ bytes, from: 0, end: bytes.length, last: ended }, records, () => memberOffset);
      if (records.length > 0) yield { bytes, records };
      content.skip(used);
      if (ended && content.length === 0) break;
      wanted = used === 0 ? content.length * 2 : content.length + BATCH_BYTES;
    }
    await feeding;
    queue.skip(Math.min(8, queue.length));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (!code?.startsWith('Z_')) throw error;
    damage.add(code === 'Z_BUF_ERROR' ? 'truncated' : 'gzip');
    inflate.destroy();
    await feeding;
    await seekMember(queue, 0);
  }
}

/** Writes the queue's bytes to the inflater until it has its end; what it has not used stays in the queue. */
async function feed(queue: ByteQueue, inflate: ReturnType<typeof createInflateRaw>): Promise<void> {
  let used = 0;
  const closed = once(inflate, 'close').catch(() => undefined);
  const done = (): boolean => inflate.destroyed || inflate.readableEnded;
  while (!done()) {
    await queue.fill(BATCH_BYTES);
    const piece = queue.bytes.subarray(0, BATCH_BYTES);
    if (piece.length === 0) {
      inflate.end();
      break;
    }
    const written = new Promise<void>((resolve) => inflate.write(piece, () => resolve()));
    await Promise.race([written, closed]);
    const consumed = inflate.bytesWritten - used;
    used = inflate.bytesWritten;
    queue.skip(consumed);
    // What is left of a piece lies behind the end of the deflated bytes.
    if (consumed < piece.length) {
      inflate.end();
      break;
    }
  }
}
