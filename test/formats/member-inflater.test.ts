import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { MemberInflater } from '../../src/formats/member-inflater.ts';
import { memberWithAllFields } from './crawl-bytes.ts';
import { randomSource } from '../random-source.ts';

/** Members one after another, where they start, and where their contents end. */
function laidOut(contents: readonly Buffer[], members = contents.map((content) => gzipSync(content))): [Buffer, number[], number[]] {
  let [at, end] = [0, 0];
  const starts = [0, ...members.map(({ length }) => (at += length))];
  return [Buffer.concat(members), starts, contents.map(({ length }) => (end += length))];
}

describe('MemberInflater', () => {
  const inflater = new MemberInflater(1_000_000, 2_000_000);

  it('inflates what zlib has deflated, at any level and of any kind', () => {
    const random = randomSource(11);
    for (let round = 0; round < 200; round++) {
      const contents = Array.from({ length: 1 + random.below(6) }, () => {
        const alphabet = 1 + random.below(256);
        return Buffer.from(Array.from({ length: random.below(random.pick([3, 300, 30_000])) }, () => random.below(alphabet)));
      });
      const members = contents.map((content) => gzipSync(content, { level: random.below(10), strategy: random.below(5) }));
      expect(inflater.inflate(...laidOut(contents, members))?.equals(Buffer.concat(contents))).toBe(true);
    }
  });

  it('refuses every member with a byte changed but those of its header that say nothing of the content', () => {
    const contents = [Buffer.from('a text that is not long, a text that comes again'), Buffer.from('another')];
    const [bytes, starts, ends] = laidOut(contents);
    // The caller has read the length at the end of a member.
    for (let at = 0; at < starts[1]! - 4; at++) {
      // Magic and method are the caller's to look at; time, extra flags and system change nothing.
      if (at < 10 && at !== 3) continue;
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(inflater.inflate(changed, starts, ends), `byte ${at}`).toBeUndefined();
    }
    expect(inflater.inflate(bytes, starts, ends)?.toString()).toBe(Buffer.concat(contents).toString());
  });

  it('refuses lengths that are not those of the content, and members cut short or with bytes behind', () => {
    const [bytes, starts, ends] = laidOut([Buffer.from('some content')]);
    for (const wrong of [0, ends[0]! - 1, ends[0]! + 1]) expect(inflater.inflate(bytes, starts, [wrong])).toBeUndefined();
    expect(inflater.inflate(bytes.subarray(0, -1), [0, bytes.length - 1], ends)).toBeUndefined();
    expect(inflater.inflate(Buffer.concat([bytes, Buffer.alloc(3)]), [0, bytes.length + 3], ends)).toBeUndefined();
    expect(inflater.inflate(bytes.subarray(0, 12), [0, 12], ends)).toBeUndefined();
  });

  it('leaves members with optional fields, and those that are too large, to others', () => {
    const content = Buffer.from('content');
    const member = memberWithAllFields(content);
    expect(inflater.inflate(member, [0, member.length], [content.length])).toBeUndefined();
    expect(inflater.inflate(...laidOut([Buffer.alloc(2_000_001)]))).toBeUndefined();
    expect(inflater.inflate(...laidOut([Buffer.alloc(2_000_000)]))?.length).toBe(2_000_000);
  });
});
