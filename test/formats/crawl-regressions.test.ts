import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { gzipped, image, record, watJson } from './crawl-bytes.ts';
import { readAll } from '../fuzz/read-all.ts';

/** Cases that were wrong once: found by fuzzing, by comparison with Common Crawl's extractor, or by looking for what takes long. */
const good = (name: string): Buffer => record(watJson({ links: [image(`${name}.png`, name)] }));
const read = async (bytes: Buffer, piece = 65_536) => {
  const { records, damage } = await readAll(bytes, piece, 100_000);
  const links = records.flatMap(({ page }) => (page && 'links' in page ? page.links.map(({ url }) => url) : []));
  const broken = records.flatMap(({ page }) => (page && 'damaged' in page ? [page.damaged] : []));
  return { links, broken, damage, records };
};

describe('plain files', () => {
  it('keep a record that is followed by bytes that are none', async () => {
    const bytes = Buffer.concat([good('a'), Buffer.from('no record\r\n'), good('b')]);
    expect(await read(bytes)).toMatchObject({ links: ['a.png', 'b.png'], damage: { header: 1 } });
  });

  it.each(['WARC/1.\n', 'WARC/1.0\r\na: b\r\n', 'WARC/1.0\r\nContent-Length: 90000\r\n\r\n'])('of nothing but %j are read in linear time', async (line) => {
    const { links } = await read(Buffer.concat([good('a'), Buffer.alloc(2_000_000, line), Buffer.from('\n'), good('b')]));
    expect(links).toContain('a.png');
    expect(links).toContain('b.png');
  });
});

describe('gzip', () => {
  it('that is cut short or changed in any member loses that member only', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const members = names.map((name) => gzipSync(good(name)));
    for (const [i, member] of members.entries()) {
      const changed = Buffer.from(member);
      changed[40]! ^= 0x10;
      for (const bad of [member.subarray(0, 20), member.subarray(0, -5), member.subarray(0, -1), member.subarray(3), changed]) {
        const { links, damage } = await read(Buffer.concat(members.toSpliced(i, 1, bad)));
        expect(links).toEqual(names.toSpliced(i, 1).map((name) => `${name}.png`));
        expect(Object.values(damage)).toEqual([1]);
      }
    }
  });

  it('in which members seem to begin everywhere is searched in linear time', async () => {
    const starts = Buffer.alloc(200_000, Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]));
    const { links } = await read(Buffer.concat([gzipSync(good('a')), starts, gzipSync(good('b')), gzipSync(good('c'))]));
    expect(links).toEqual(['a.png', 'b.png', 'c.png']);
  });
});

describe('WAT records', () => {
  it('are damaged where they are cut, whatever their length says', async () => {
    const json = watJson({ links: [image('cut.png', 'cut'), { path: 'A@/href', url: 'x' }] });
    for (const cut of [1, 2, 3, 10, json.length - json.indexOf('"},{"path":"A@'), json.length - 30]) {
      const { links, broken } = await read(gzipped([good('a'), record(json.slice(0, -cut)), good('b')]));
      expect([links, broken]).toEqual([['a.png', 'b.png'], ['json']]);
    }
    // Also a record without any image.
    expect((await read(gzipped([record('{"Envelope":{')]))).broken).toEqual(['json']);
    // What is not JSON by its type is none of ours.
    expect((await read(gzipped([record('{"Envelope":{', { 'Content-Type': 'text/plain' })]))).broken).toEqual([]);
  });

  it('have no links in the header fields of a page', async () => {
    const json = watJson({ links: [image('a.png', 'a')] }).replace('"Server":"x"', '"path":"IMG@/src","url":"http://ads.test/x.png","alt":"an advertisement"');
    expect((await read(gzipped([record(json)]))).links).toEqual(['a.png']);
  });

  it('and pages have their URL without the angle brackets that wget writes', async () => {
    const [first] = (await read(gzipped([record(watJson({ links: [image('a.png', 'a')] }), { 'WARC-Target-URI': '<http://page.test/x>' })]))).records;
    expect(first!.page).toMatchObject({ pageUrl: 'http://page.test/x' });
  });

  it('have their licence found though a text is full of its name', async () => {
    const links = [image('a.png', 'creativecommons.org/'.repeat(100_000)), { path: 'A@/href', url: 'https://creativecommons.org/licenses/by/4.0/' }];
    const { records } = await readAll(gzipped([record(watJson({ links }))]), 65_536, 10_000_000);
    expect(records[0]!.page).toMatchObject({ licence: 'https://creativecommons.org/licenses/by/4.0/' });
  });
});
