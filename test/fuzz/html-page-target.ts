import assert from 'node:assert/strict';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { Parser } from 'htmlparser2';
import type { CrawlPage } from '../../src/formats/crawl-page.ts';
import { readHtmlPage } from '../../src/formats/html-page.ts';
import { htmlText, isHtml, parseHttpResponse } from '../../src/formats/http-payload.ts';
import { LinkRules } from '../../src/stages/extract/link-rules.ts';
import { extractOptions } from '../../src/stages/extract/options.ts';
import type { FuzzTarget } from './fuzz.ts';
import { checkCandidate } from './link-oracle.ts';

const head = (fields: string): string => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`;
const html =
  '<!doctype html><html><head><base href="/b/"><meta name=robots content="index"><meta charset=utf-8><title>t</title></head><body>' +
  '<a href="https://creativecommons.org/licenses/by/4.0/">CC <b>BY</b></a><img src="a.png" alt="caf&eacute; &#x65e5;"><img srcset="a 1x, b 2x" data-src=c alt=d>' +
  '<!-- <img src=x> --><script>"<img src=y>"</script><noscript><img src=z alt="long enough"></noscript></body></html>';

/** The block of a WARC response: HTTP, chunks, compression, charset, HTML, and the rules for links on what comes out. */
export const htmlPageTarget: FuzzTarget = {
  name: 'html-page',
  words: [
    '<img src="a.png" alt="a long text">', '<img src=', ' alt="', '<base href="', '<a href="', '</a>', '<!--', '-->', '--!>', '<script>', '</script', '<style>', '<svg>', '<textarea>',
    '<plaintext>', '<![CDATA[', ']]>', '&#x', '&#xd800;', '&nbsp', '&amp;', '<meta name="robots" content="noai">', '<meta charset=shift_jis>', 'charset=utf-16', 'charset=gb18030',
    'Transfer-Encoding: chunked\r\n', 'Content-Encoding: gzip\r\n', 'Content-Encoding: br, deflate\r\n', 'Content-Type: text/html; charset="', '\r\n\r\n', '5\r\n', '0\r\n\r\n', ' 2x, ',
    'srcset="', '\ufeff', '\u0000', 'javascript:', 'data:,', 'http://[', '//', '\\', '\u202e', 'Ã©', '😀',
  ], // prettier-ignore
  seeds: () => [
    Buffer.from(head('Content-Type: text/html') + html),
    Buffer.from(head('Content-Type: text/html; charset=iso-8859-1') + html),
    Buffer.from(head('Server: x') + html),
    Buffer.from(head('Content-Type: text/html\r\nTransfer-Encoding: chunked') + `10\r\n${html.slice(0, 16)}\r\n${(html.length - 16).toString(16)}\r\n${html.slice(16)}\r\n0\r\n\r\n`),
    Buffer.concat([Buffer.from(head('Content-Type: text/html\r\nContent-Encoding: gzip')), gzipSync(html)]),
    Buffer.concat([Buffer.from(head('Content-Type: text/html\r\nContent-Encoding: br')), brotliCompressSync(html)]),
    Buffer.concat([Buffer.from(head('Content-Type: text/html')), Buffer.from(`\ufeff${html}`, 'utf16le')]),
  ], // prettier-ignore
  run: (input) => {
    const response = parseHttpResponse(input);
    if (!response) return;
    isHtml(response);
    const text = htmlText(response);
    assert.ok(text.isWellFormed(), 'text is not well-formed');
    const page = readHtmlPage(text, 'http://page.test/dir/index.html', 'image', ['src']);
    checkPage(page);
    for (const { url } of page.links) assert.equal(url, url.trim());
    // Within svg and math a nesting parser takes scripts and titles for markup, up to the end of the page where they are not closed.
    if (!/<(?:svg|math)/i.test(text)) assert.deepEqual(page.links, imagesByNesting(text), 'images of a parser that nests elements');
    const any = readHtmlPage(text, 'http://page.test/dir/index.html', 'any', ['data-src', 'srcset', 'src']);
    checkPage(any);
    let drops = 0;
    const rules = new LinkRules(extractOptions.parse({}), 'file', undefined, (_, item) => {
      drops++;
      item();
    });
    let candidates = 0;
    for (const candidate of rules.page({ ...page, offset: 5 })) {
      candidates++;
      checkCandidate(candidate);
    }
    assert.equal(rules.links, page.links.length);
    assert.equal(candidates + drops, rules.links, 'in = out + dropped');
  },
};

function checkPage(page: CrawlPage): void {
  for (const text of [page.base, page.licence, ...page.refusals, ...page.links.flatMap((link) => [link.url, link.text])])
    assert.ok(text?.isWellFormed() ?? true);
}

/** The images as htmlparser2 gives them when it nests elements, as it does by default. */
function imagesByNesting(text: string): CrawlPage['links'] {
  const links: CrawlPage['links'] = [];
  const parser = new Parser({
    onopentag: (name, { src, alt }) => {
      if (name === 'img' && src !== undefined) links.push({ url: src.trim(), text: alt });
    },
  });
  parser.end(text);
  return links;
}
