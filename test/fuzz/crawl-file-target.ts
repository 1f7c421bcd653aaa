import assert from 'node:assert/strict';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { image, memberWithAllFields, record, watJson } from '../formats/crawl-bytes.ts';
import type { FuzzTarget } from './fuzz.ts';
import { readAll } from './read-all.ts';
import { checkWatRecord } from './wat-oracle.ts';

/** Largest record; small, so that the reader meets larger ones. */
const MAX_RECORD = 70_000;
const SEPARATOR = 0x1e;

/**
 * Whole crawl files, gzip and plain. The first six bytes of an input say how its parts are packed, each part's first byte
 * what is made of it; so a change reaches the reader behind lengths and checksums that are right. Around the parts lie
 * records that nothing has touched: they must all be read, in order.
 */
export const crawlFileTarget: FuzzTarget = {
  name: 'crawl-file',
  words: [
    'WARC/1.0\r\n', 'Content-Length: ', '\r\n\r\n', '\n\n', '{"path":"IMG@/src","url":"a.png","alt":"b"}', '"IMG@/src"', '"Links":[', '"Head":{', '"Base":"/b/"',
    '"Metas":[{"name":"robots","content":"noai"}]', '"url":"https://creativecommons.org/licenses/by/4.0/"', '\\"', '\\u0041', '\\ud800', '}}}', '"alt":"', '\x1e',
    '\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03', '{"Envelope":', '[[[[', '\u00ff', '日本', 'WARC-Target-URI: <http://x.test/>',
  ], // prettier-ignore
  seeds: () =>
    [0, 1, 2, 3, 4, 5].flatMap((packing) =>
      [0, 1, 2, 3].map((mode) =>
        Buffer.concat([
          Buffer.from([packing, 77, 0, 0, 40, 0]),
          Buffer.from([mode]),
          Buffer.from(
            watJson({ links: [image('a.png', 'a "b" \\ c'), { path: 'A@/href', url: 'x', text: 'é' }, image('b.png')], headLast: packing % 2 === 1 }),
          ),
          Buffer.from([SEPARATOR, 2]),
          record(watJson({ links: [image('c.png', 'c')], head: { Base: '/x/', Metas: [{ name: 'robots', content: 'noindex' }] } })),
        ]),
      ),
    ),
  run: async (input) => {
    const { bytes, untouched } = packed(input);
    const maxPiece = 1 + (input[1] ?? 0) * 97;
    const { records, damage } = await readAll(bytes, maxPiece, MAX_RECORD);
    for (const each of records) checkWatRecord(each);
    let next = 0;
    for (const { content } of records) if (untouched[next]?.equals(content)) next++;
    assert.equal(next, untouched.length, `untouched records read: ${next} of ${untouched.length}`);
    for (const [i, { offset }] of records.entries()) assert.ok(offset < bytes.length && (i === 0 || offset >= records[i - 1]!.offset), 'offsets');
    // The pieces in which a file arrives change nothing.
    const again = await readAll(bytes, 1_000_000, MAX_RECORD);
    assert.deepEqual({ records: again.records, damage: again.damage }, { records, damage });
  },
};

/** The crawl file of an input, and the contents that must be read whatever the rest is. */
function packed(input: Buffer): { bytes: Buffer; untouched: Buffer[] } {
  const [packing = 0, , kind = 0, high = 0, low = 0] = input;
  const parts: Buffer[] = [];
  for (let from = 6, to; from < input.length; from = to + 1) {
    to = input.indexOf(SEPARATOR, from);
    if (to < 0) to = input.length;
    if (to > from) parts.push(part(input[from]!, input.subarray(from + 1, to)));
  }
  const around = ['first', 'second', 'last'].map((name) => Buffer.from(watJson({ links: [image(`${name}.png`, name)] })));
  const [first, second, last] = around.map((content) => gzipSync(record(content))) as [Buffer, Buffer, Buffer];
  const body = Buffer.concat(parts);
  switch (packing % 6) {
    case 0:
      // Plain: what follows a wrong length may belong to it, so only what comes before is sure.
      return { bytes: Buffer.concat([record(around[0]!), body]), untouched: around.slice(0, 1) };
    case 1:
      return { bytes: Buffer.concat([first, ...parts.map((each) => gzipSync(each)), second, last]), untouched: around };
    case 2:
      return { bytes: Buffer.concat([first, gzipSync(body, { level: kind % 10 }), second, last]), untouched: around };
    case 3: {
      // A byte of the compressed parts is changed, or they are cut.
      const members = Buffer.concat(parts.map((each) => gzipSync(each, { level: kind % 10 })));
      const place = members.length === 0 ? 0 : (high * 256 + low) % members.length;
      if (members.length > 0 && kind < 200) members[place]! ^= 1 + (kind % 255);
      return { bytes: Buffer.concat([first, kind < 200 ? members : members.subarray(0, place), second, last]), untouched: around };
    }
    case 4:
      // Bytes that are no gzip, and a header that lies.
      return { bytes: Buffer.concat([first, body, second, Buffer.from('\x1f\x8b\x08\0\0\0\0\0\0\x03', 'latin1'), last]), untouched: around };
    default:
      return { bytes: Buffer.concat([first, ...parts.map(memberWithAllFields), stored(body), second, last]), untouched: around };
  }
}

function part(mode: number, content: Buffer): Buffer {
  switch (mode % 4) {
    case 0:
      return record(content);
    case 1:
      return record(content, { 'WARC-Type': 'response', 'Content-Type': 'application/http' });
    case 2:
      return content;
    default:
      // A length that the content says.
      return record(content.subarray(2), {}, content.length < 2 ? 'none' : content.readInt16LE(0));
  }
}

/** A member whose content is not compressed, with a trailer that is wrong: a header within it is found. */
function stored(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), deflateRawSync(content, { level: 0 }), Buffer.from([1, 2, 3, 4, 5, 6, 7, 8])]);
}
