import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DamageCount } from '../../src/formats/warc-record.ts';
import { readWarc } from '../../src/formats/warc.ts';
import { gzipped, memberWithAllFields, pieces, record } from './crawl-bytes.ts';

interface Read {
  contents: string[];
  offsets: number[];
  damage: DamageCount['counts'];
}

async function read(bytes: Buffer, { maxRecordBytes = 1_000_000, piece = 65_536 } = {}): Promise<Read> {
  const damage = new DamageCount();
  const contents: string[] = [];
  const offsets: number[] = [];
  for await (const batch of readWarc(pieces(bytes, piece), { maxRecordBytes, damage })) {
    for (const { contentStart, contentEnd, offset } of batch.records) {
      contents.push(batch.bytes.toString('latin1', contentStart, contentEnd));
      offsets.push(offset);
    }
  }
  return { contents, offsets, damage: damage.counts };
}

const names = Array.from({ length: 40 }, (_, i) => `content ${i} ${'x'.repeat((i * 977) % 5000)}`);
const records = names.map((name) => record(name));
const noise = (length: number, seed = 1): Buffer => Buffer.from(Array.from({ length }, (_, i) => ((i + 7) * 2654435761 * seed) >>> 24));

describe('readWarc', () => {
  it.each([
    ['gzip', gzipped(records)],
    ['plain', Buffer.concat(records)],
    ['one member for all', gzipSync(Buffer.concat(records))],
  ])('reads all records of %s, whatever the pieces', async (_, bytes) => {
    for (const piece of [1, 7, 1000, 1_000_000]) {
      if (piece === 1 && bytes.length > 60_000) continue;
      const { contents, damage } = await read(bytes, { piece });
      expect(contents).toEqual(names);
      expect(damage).toEqual({});
    }
  });

  it('gives the offset of the member, or in a plain file of the record', async () => {
    const members = records.map((bytes) => gzipSync(bytes));
    const { offsets } = await read(Buffer.concat(members));
    expect(offsets).toEqual(members.map((_, i) => Buffer.concat(members.slice(0, i)).length));
    expect((await read(Buffer.concat(records))).offsets).toEqual(records.map((_, i) => Buffer.concat(records.slice(0, i)).length));
  });

  it('reads headers with optional fields, and an empty file', async () => {
    expect((await read(Buffer.concat([memberWithAllFields(records[0]!), gzipSync(records[1]!), memberWithAllFields(records[2]!)]))).contents).toEqual(
      names.slice(0, 3),
    );
    expect(await read(Buffer.alloc(0))).toEqual({ contents: [], offsets: [], damage: {} });
  });

  it('loses the damaged member only', async () => {
    for (const at of [0, 17, 39]) {
      const members = records.map((bytes) => gzipSync(bytes));
      members[at] = Buffer.from(members[at]!);
      members[at].fill(0xff, 15, 40);
      const { contents, damage } = await read(Buffer.concat(members));
      expect(contents).toEqual(names.filter((_, i) => i !== at));
      expect(damage).toEqual(at === 39 ? expect.objectContaining({}) : { gzip: 1 });
      expect(Object.values(damage)).toEqual([1]);
    }
  });

  it('finds a wrong checksum and a wrong size', async () => {
    for (const back of [8, 1]) {
      const members = records.map((bytes) => gzipSync(bytes));
      members[5] = Buffer.from(members[5]!);
      members[5][members[5].length - back]! ^= 0x40;
      const { contents, damage } = await read(Buffer.concat(members));
      expect(contents).toEqual(names.filter((_, i) => i !== 5));
      expect(damage).toEqual({ gzip: 1 });
    }
  });

  it('says that a file is cut in the middle', async () => {
    const bytes = gzipped(records);
    const cut = await read(bytes.subarray(0, bytes.length - 20));
    expect(cut.contents).toEqual(names.slice(0, -1));
    expect(cut.damage).toEqual({ truncated: 1 });
    const plain = Buffer.concat(records);
    expect((await read(plain.subarray(0, plain.length - 20))).damage).toEqual({ truncated: 1 });
  });

  it('skips bytes between members, and zeros at the end', async () => {
    const bytes = Buffer.concat([gzipped(records.slice(0, 3)), noise(3000), gzipped(records.slice(3, 6)), Buffer.alloc(512)]);
    const { contents, damage } = await read(bytes);
    expect(contents).toEqual(names.slice(0, 6));
    expect(damage).toEqual({ gzip: 1 });
  });

  it('skips a member that expands a thousandfold, without holding it', async () => {
    const bomb = gzipSync(record(Buffer.alloc(40_000_000, ' ')));
    const { contents, damage } = await read(Buffer.concat([gzipSync(records[0]!), bomb, gzipSync(records[1]!)]), { maxRecordBytes: 500_000 });
    expect(contents).toEqual(names.slice(0, 2));
    expect(damage).toEqual({ 'too-large': 1 });
  });

  it('takes a size that a trailer lies about for damage', async () => {
    const lying = Buffer.from(gzipSync(records[1]!));
    lying.writeUInt32LE(0xffffffff, lying.length - 4);
    const { contents, damage } = await read(Buffer.concat([gzipSync(records[0]!), lying, gzipSync(records[2]!)]));
    expect(contents).toEqual([names[0], names[2]]);
    expect(damage).toEqual({ gzip: 1 });
  });

  it.each([
    ['too short', record(names[1]!, {}, 3), { length: 1 }],
    ['too long', record(names[1]!, {}, 100_000), { length: 1 }],
    ['no number', record(names[1]!, {}, 'many'), { length: 1 }],
    ['negative', record(names[1]!, {}, -5), { length: 1 }],
    ['larger than allowed', record(names[1]!, {}, 999_999_999), { 'too-large': 1 }],
  ])('loses a record whose Content-Length is %s', async (_, bad, expected) => {
    const sequence = [records[0]!, bad, records[2]!, records[3]!];
    for (const bytes of [Buffer.concat(sequence), gzipSync(Buffer.concat(sequence))]) {
      const { contents, damage } = await read(bytes);
      expect(contents).toEqual([names[0], names[2], names[3]]);
      expect(damage).toEqual(expected);
    }
    // In a member of its own a record that is too long ends where its member ends.
    const { contents, damage } = await read(gzipped(sequence));
    expect(contents).toEqual([names[0], names[2], names[3]]);
    expect(Object.values(damage)).toEqual([1]);
  });

  it('is not led astray by a file of another format', async () => {
    expect((await read(noise(100_000))).contents).toEqual([]);
    expect((await read(Buffer.from('filedesc://x.arc 0.0.0.0 20081231 text/plain 69\n'.repeat(100)))).damage).toEqual({ header: 1 });
    expect((await read(gzipSync(noise(100_000, 3)))).damage).toEqual({ header: 1 });
  });
});
