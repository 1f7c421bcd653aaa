import { expect, test } from 'vitest';
import { extensionOf, hostOf, UrlResolver } from '../../../src/stages/extract/resolve-url.ts';
import { randomSource } from '../../random-source.ts';

const bases = [
  'http://page.test/dir/index.html',
  'https://Page.test:8443/a/b?c=d#e',
  'http://page.test',
  'http://u:p@page.test/x/',
  'ftp://page.test/x',
  'not a url',
  'http://page.test/a%20b/ü',
  'http://page.test/a/?x=/y/',
];
const parts = [
  'http://',
  'https://',
  'HTTP://',
  '//',
  '/',
  '\\',
  '.',
  '..',
  './',
  '../',
  '%2e',
  '%2E%2e',
  'a',
  'B',
  'host.test',
  'HOST.test',
  '1.2.3.4',
  '0x7f.1',
  'xn--',
  'xn--nxasmq6b',
  ':',
  ':80',
  ':8080',
  '@',
  '?',
  '#',
  '&',
  '=',
  ' ',
  '\t',
  '\n',
  "'",
  '"',
  '<',
  '|',
  '^',
  '`',
  '{',
  '}',
  '[',
  ']',
  '::1',
  '%',
  '%zz',
  'ü',
  '日',
  '😀',
  '\u00ad',
  '\ud800',
  '~',
  '-',
  '_',
  ',',
  ';',
  '!',
  '*',
  '(',
  ')',
  '+',
  '$',
  'img.png',
  'javascript:',
  'data:',
  'mailto:',
  'a.b',
  '.gif',
  '',
  '\u0000',
];

test('is new URL(url, base).href on random URLs, and undefined where that throws', () => {
  const random = randomSource(3);
  let fast = 0;
  for (let i = 0; i < 30_000; i++) {
    const page = random.pick(bases);
    const href = random.next() < 0.3 ? random.pick(['/img/', 'sub/dir/', 'https://cdn.test/x/y', '//cdn.test/', 'http://[', '?q']) : undefined;
    let url = Array.from({ length: 1 + random.below(7) }, () => random.pick(parts)).join('');
    if (random.next() < 0.3)
      url = `http${random.pick(['', 's'])}://${random.pick(['host.test', 'a.b.c', 'a-.test', '-a.test', 'a..b', 'x.123', 'x.1a', 'HOST.test', `${'a'.repeat(70)}.test`])}/${url}`;
    const base = href === undefined ? URL.parse(page) : (URL.parse(href, page) ?? URL.parse(page));
    const expected = URL.parse(url, base?.href)?.href;
    expect(new UrlResolver(page, href).resolve(url), JSON.stringify({ url, page, href })).toBe(expected);
    if (expected !== undefined) fast++;
  }
  expect(fast).toBeGreaterThan(3000);
});

test('host and extension are those of URL', () => {
  for (const url of ['http://host.test/', 'http://u:p@host.test:81/x@y', 'http://[::1]:80/', 'https://host.test/?a@b', 'https://host.test/#a/b@c']) {
    expect(hostOf(new URL(url).href)).toBe(new URL(url).hostname);
  }
  expect(
    ['http://a.gif/', 'http://a.test/x.GIF', 'http://a.test/x.svg?v=1.png', 'http://a.test/x.y/z', 'http://a.test/x#.gif', 'http://a.test/.gif'].map(
      extensionOf,
    ),
  ).toEqual(['', 'gif', 'svg', '', '', 'gif']);
});
