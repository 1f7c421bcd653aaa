import { describe, expect, it } from 'vitest';
import type { CrawlPage } from '../../src/formats/crawl-page.ts';
import { DamageCount } from '../../src/formats/warc-record.ts';
import { readWarc } from '../../src/formats/warc.ts';
import { parseWatJson } from '../../src/formats/wat-json.ts';
import { type WatPage, WatScanner } from '../../src/formats/wat-page.ts';
import { gzipped, image, pieces, record, watJson } from './crawl-bytes.ts';
import { randomSource } from '../random-source.ts';

async function scan(contents: readonly (string | Buffer)[]): Promise<WatPage[]> {
  const pages: WatPage[] = [];
  for await (const { bytes, records } of readWarc(pieces(gzipped(contents.map((content) => record(content)))), {
    maxRecordBytes: 50_000_000,
    damage: new DamageCount(),
  })) {
    const scanner = new WatScanner(bytes, 'image');
    for (const each of records) pages.push(scanner.read(each));
  }
  return pages;
}

const reference = (text: string): CrawlPage | undefined => {
  const page = parseWatJson(text, 'http://page.test/dir/index.html', 'image');
  return page && page.links.length > 0 ? page : undefined;
};

describe('WatScanner', () => {
  it('reads links, base, opt-outs and licence without parsing the record', async () => {
    const head = {
      Base: '/pictures/',
      Metas: [
        { name: 'Robots', content: 'NoIndex, follow' },
        { name: 'robots', content: 'all' },
        { name: 'googlebot', content: 'noindex' },
        { name: 'tdm-reservation', content: ' 1 ' },
      ],
      Link: [{ path: 'LINK@/href', url: 'https://example.test/' }],
    };
    const links = [
      { path: 'A@/href', url: 'https://creativecommons.org/licenses/by/4.0/', text: 'CC BY' },
      image('a.png', 'an "apple" \\ {pear}'),
      image('b.png'),
      { alt: 'früher', path: 'IMG@/src', title: 'x', url: 'ü.png' },
    ];
    const headers = { Server: 'x', 'x-Robots-Tag': ['otherbot: noindex', 'pairmill: noai'], 'TDM-Reservation': '1' };
    for (const [headLast, headersLast] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ] as const) {
      const [page] = await scan([watJson({ links, head, headLast, headers, headersLast })]);
      expect(page).toEqual({
        pageUrl: 'http://page.test/dir/index.html',
        base: '/pictures/',
        refusals: ['X-Robots-Tag: pairmill: noai', 'NoIndex, follow'],
        reservations: ['tdm-reservation: 1', 'tdm-reservation: 1'],
        licence: 'https://creativecommons.org/licenses/by/4.0/',
        links: [
          { url: 'a.png', text: 'an "apple" \\ {pear}' },
          { url: 'b.png', text: undefined },
          { url: 'ü.png', text: 'früher' },
        ],
      });
    }
  });

  it('equals parsing the record, on random records', async () => {
    const random = randomSource(7);
    const texts = [
      '',
      'plain words',
      'with "quotes" and \\ backslashes',
      '{"path":"IMG@/src"}',
      '"IMG@/src"',
      'IMG@/src"',
      '日本語 😀',
      'tab\tline\nend',
      '[]{},:',
      '\\"',
      'https://creativecommons.org/licenses/by/2.0/',
      '\ud800 lone',
      '"Head":{',
      '"Base":"/x/"',
      'é',
    ];
    const value = (): unknown =>
      random.pick<unknown>([random.pick(texts), random.pick(texts), random.pick(texts), random.pick(texts), 5, null, { path: 'IMG@/src' }, ['IMG@/src']]);
    const object = (): Record<string, unknown> => {
      const entries: [string, unknown][] = [
        ['path', random.pick(['IMG@/src', 'IMG@/src', 'A@/href', 'IMG@/longdesc', value()])],
        ['url', random.next() < 0.9 ? random.pick(texts) : value()],
        ['alt', random.next() < 0.9 ? random.pick(texts) : value()],
        [random.pick(['title', 'te"xt', 'rel']), value()],
      ];
      const kept = entries.filter(([key]) => random.next() < (key === 'path' || key === 'url' ? 0.95 : 0.6));
      return Object.fromEntries(kept.sort(() => random.next() - 0.5));
    };
    const meta = (): Record<string, unknown> => ({
      name: random.pick<unknown>(['robots', 'ROBOTS', 'pairmill', 'viewport', 'tdm-reservation', 3]),
      content: random.pick<unknown>(['1', 'noai', 'index', 'NOIMAGEINDEX', 'none', 'nonesuch', 'unavailable: noarchive', null, '"robots" noai']),
    });
    const contents = Array.from({ length: 3000 }, () => {
      const spaced = random.next() < 0.1;
      const head =
        random.next() < 0.1
          ? undefined
          : {
              ...(random.next() < 0.3 ? { Base: value() } : {}),
              Metas: Array.from({ length: random.below(4) }, meta),
              Link: Array.from({ length: random.below(3) }, () => ({ ...object(), path: 'LINK@/href' })),
            };
      const headers = Object.fromEntries(
        Array.from({ length: random.below(3) }, () => [
          random.pick(['X-Robots-Tag', 'x-robots-tag', 'tdm-reservation', 'Server', 'X-Robots-Tag-Not']),
          random.pick<unknown>(['noai', '1', '0', ['none', '1'], 'otherbot: noai', { a: 'noai' }, 3]),
        ]),
      );
      const [headLast, headersLast] = [random.next() < 0.5, random.next() < 0.5];
      const text = watJson({ links: Array.from({ length: random.below(6) }, object), head: head!, headLast, headers, headersLast });
      return spaced ? JSON.stringify(JSON.parse(text), null, 1) : text;
    });
    const pages = await scan(contents);
    let some = 0;
    for (const [i, page] of pages.entries()) {
      const expected = reference(contents[i]!);
      if (expected) some++;
      expect(page && 'links' in page && page.links.length > 0 ? page : undefined, contents[i]).toEqual(expected);
    }
    expect(some).toBeGreaterThan(1000);
  });

  it('counts broken JSON around its links as a damaged record, and reads the next', async () => {
    const good = watJson({ links: [image('a.png', 'an apple')] });
    const broken = [
      '{"Links":[{"path":"IMG@/src"',
      '{"path":"IMG@/src",}',
      '{"a":"IMG@/src"',
      good.slice(0, -4).replace('"alt"', 'alt'),
      `{"x":${'['.repeat(200_000)}"IMG@/src"`,
    ];
    const pages = await scan([good, ...broken, good]);
    expect(pages.map((page) => (page ? Object.keys(page)[0] : page))).toEqual(['pageUrl', ...broken.map(() => 'damaged'), 'pageUrl']);
  });

  it('counts a record that is nested absurdly deep where its depth matters', async () => {
    const deep = (title: string): string =>
      watJson({ links: [image('a.png', 'x')] }).replace('"Title":"a title"', `"Title":${'['.repeat(5000)}${']'.repeat(5000)}${title}`);
    const [head, plain] = await scan([deep(',"Base":"/"'), deep('')]);
    expect(head).toEqual({ damaged: 'json' });
    // Nothing in the head is asked for, so nobody looks.
    expect(plain).toMatchObject({ links: [{ url: 'a.png', text: 'x' }] });
  });

  it('takes invalid utf-8, megabyte attributes and very many links', async () => {
    const invalid = Buffer.from(watJson({ links: [image('a.png', 'A???B')] }));
    invalid.set([0xff, 0xc3, 0x28], invalid.indexOf('???'));
    const long = watJson({ links: [image('b.png', 'y'.repeat(3_000_000)), image(`data:image/png;base64,${'A'.repeat(2_000_000)}`, 'z')] });
    const many = watJson({ links: Array.from({ length: 200_000 }, (_, i) => image(`${i}.png`, 'w')) });
    const pages = (await scan([invalid, long, many])) as CrawlPage[];
    expect(pages.map(({ links }) => links.length)).toEqual([1, 2, 200_000]);
    expect(pages[0]!.links[0]!.text).toBe('A\ufffd\ufffd(B');
    expect(pages[1]!.links[0]!.text).toHaveLength(3_000_000);
  });
});
