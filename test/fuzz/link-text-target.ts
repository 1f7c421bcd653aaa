import assert from 'node:assert/strict';
import { cutText } from '../../src/formats/cut-text.ts';
import { cleanText, codePoints } from '../../src/stages/extract/clean-text.ts';
import { extensionOf, hostOf, UrlResolver } from '../../src/stages/extract/resolve-url.ts';
import { LinkRules } from '../../src/stages/extract/link-rules.ts';
import { extractOptions } from '../../src/stages/extract/options.ts';
import type { FuzzTarget } from './fuzz.ts';
import { checkCandidate, checkClean } from './link-oracle.ts';

const options = extractOptions.parse({});

/**
 * Alt texts and URLs: page URL, base, then URL and text in turn, with 0x1e between them. The first byte says whether the rest is
 * utf-8 or utf-16, which may hold half of a surrogate pair.
 */
export const linkTextTarget: FuzzTarget = {
  name: 'link-text',
  words: [
    'http://', 'https://', '//', '/', '\\', '..', './', '%2e', '%', '%zz', ':', ':80', ':443', '@', '?', '#', 'xn--', 'xn--nxasmq6b', '1.2.3.4', '0x7f.1', '[::1]', 'ü.test', '\u00ad', '\u3002',
    'javascript:', 'data:', 'HTTP:', '.gif', '.SVG', ' ', '\t', '\n', '\u0000', '\u0301', '\u1100\u1161', 'Ã©', 'Â ', 'â€™', 'ÃƒÂ©', 'Ð\u009fÑ\u0080', 'ä¸\u00ad', '\u200d', '\u202e', '\ufeff', '😀',
    '\x1e', 'a'.repeat(70), 'word '.repeat(500), "'", '"', '|', '^', '`', '{', '~',
  ], // prettier-ignore
  seeds: () =>
    [
      'http://page.test/dir/index.html\x1e\x1ea.png\x1ea long text\x1ehttps://cdn.test/b.jpg?x=1#y\x1eCafÃ© crème\x1e//x.test/c.png\x1eÐŸÑ€Ð¸Ð²ÐµÑ‚',
      'https://u:p@page.test:8443/a/b?c=d#e\x1e/base/\x1e/a/../b.png\x1etext  with\tspaces\x1edata:image/png;base64,AA\x1enothing here\x1ehttp://ü.test/ü.png\x1ee\u0301e\u0301e\u0301e\u0301e\u0301',
      'not a url\x1e//b.test/x/\x1eHTTP://HOST.test/%7ex\x1e日本語の説明です\x1e?q=1\x1e😀😀😀😀😀\x1e.\x1eaaaaa',
    ].flatMap((text) => [Buffer.concat([Buffer.from([0]), Buffer.from(text)]), Buffer.concat([Buffer.from([1]), Buffer.from(text, 'utf16le')])]),
  run: (input) => {
    const [pageUrl = '', base = '', ...rest] = decoded(input).split('\x1e');
    const href = base === '' ? undefined : base;
    const resolver = new UrlResolver(pageUrl, href);
    const absolute = href === undefined ? URL.parse(pageUrl) : (URL.parse(href, pageUrl) ?? URL.parse(pageUrl));
    for (const text of rest) {
      const url = resolver.resolve(text);
      assert.equal(url, URL.parse(text, absolute?.href)?.href);
      if (url !== undefined && /^https?:/.test(url)) {
        assert.equal(hostOf(url), new URL(url).hostname);
        extensionOf(url);
      }
      const clean = cleanText(text);
      checkClean(clean);
      for (const most of [1, 7, 2000]) {
        const { text: short, cut } = cutText(clean, most);
        checkClean(short);
        assert.ok(codePoints(short) <= most && clean.startsWith(short) && cut === codePoints(clean) > most);
      }
    }
    const links = rest.flatMap((url, i) => (i % 2 === 0 ? [{ url, text: rest[i + 1] }] : []));
    let drops = 0;
    const rules = new LinkRules(options, 'file', undefined, (_, item) => {
      drops++;
      item();
    });
    let candidates = 0;
    for (const candidate of rules.page({ pageUrl: pageUrl || 'x', base: href, refusals: [], reservations: [], licence: undefined, links, offset: 1 })) {
      candidates++;
      checkCandidate(candidate);
    }
    assert.equal(candidates + drops, links.length, 'in = out + dropped');
  },
};

function decoded(input: Buffer): string {
  if (input[0] !== 1) return input.toString('utf8', 1);
  // A copy of even length: Node 24's toString('utf16le') writes past its memory where a slice begins and ends at odd places.
  return Buffer.from(input.subarray(1, 1 + ((input.length - 1) & ~1))).toString('utf16le');
}
