import { DamageCount, headerField, targetUri, type WarcRecord } from '../../src/formats/warc-record.ts';
import { RecordSplitter } from '../../src/formats/split-records.ts';
import { WatScanner } from '../../src/formats/wat-page.ts';
import { image, record, watJson } from '../formats/crawl-bytes.ts';
import type { FuzzTarget } from './fuzz.ts';
import { checkWatRecord } from './wat-oracle.ts';

/** Records of a WAT in one batch, their JSON changed at will (0x1e is between them): the fast way of reading against the whole JSON. */
export const watRecordTarget: FuzzTarget = {
  name: 'wat-record',
  words: [
    '{"path":"IMG@/src","url":"a.png","alt":"b"}', '"IMG@/src"', 'IMG@/src"', '"path":"IMG@/src"', '"Links":[', '"Head":{', '"Base":"/b/"', '"Base":', '"Metas":[',
    '{"name":"robots","content":"noai"}', '"url":"https://creativecommons.org/licenses/by/4.0/"', '"url":"', '"alt":"', '\\"', '\\\\', '\\u0041', '\\ud83d', '\\ud83d\\ude00',
    '}}}', '}]', ']}', '},{', ',', ':', '[', '{}', '[]', '\x1e', '"HTML-Metadata":{', '"Headers":{', 'null', '1e5', 'true', ' ', '\n', '\t', '日本', '\u0000', '\u007f',
  ], // prettier-ignore
  seeds: () =>
    [false, true].flatMap((headLast) => [
      Buffer.from(watJson({ links: [image('a.png', 'a "b" \\ c\n'), { path: 'A@/href', url: 'x', text: 'é' }, {}, image('b.png')], headLast })),
      Buffer.from(watJson({ links: [{ url: 'u', path: 'IMG@/src', title: 't', alt: '日本 😀' }], head: { Base: '/x/', Metas: [{ name: 'robots', content: 'noindex' }] }, headLast })),
      Buffer.from(watJson({ links: [{ path: 'A@/href', url: 'https://creativecommons.org/licenses/by/4.0/' }, image('c', 'c')], head: { Link: [{ path: 'LINK@/href', url: 'y' }] }, headLast })),
      Buffer.from(JSON.stringify(JSON.parse(watJson({ links: [image('a.png', 'x')], headLast })), null, 1)),
    ]), // prettier-ignore
  run: (input) => {
    const parts: Buffer[] = [];
    for (let from = 0, to; from < input.length; from = to + 1) {
      to = input.indexOf(0x1e, from);
      if (to < 0) to = input.length;
      parts.push(record(input.subarray(from, to)));
    }
    const bytes = Buffer.concat(parts);
    const records: WarcRecord[] = [];
    new RecordSplitter(1_000_000, new DamageCount()).split({ bytes, from: 0, end: bytes.length, last: true }, records, (start) => start);
    const images = new WatScanner(bytes, 'image');
    const any = new WatScanner(bytes, 'any');
    for (const each of records) {
      any.read(each);
      checkWatRecord({
        content: bytes.subarray(each.contentStart, each.contentEnd),
        offset: each.offset,
        uri: targetUri(bytes, each),
        type: headerField(bytes, each, 'content-type'),
        page: images.read(each),
      });
    }
  },
};
