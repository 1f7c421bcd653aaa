import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readHtmlPage } from '../../src/formats/html-page.ts';
import { htmlText, isHtml, parseHttpResponse } from '../../src/formats/http-payload.ts';

const read = (html: string, kind: 'image' | 'any' = 'image', attributes: string[] = ['src']) => readHtmlPage(html, 'http://page.test/', kind, attributes);

describe('readHtmlPage', () => {
  it('reads images, base, refusals and licence', () => {
    const page =
      read(`<!doctype html><head><base href="/a/"><base href="/b/"><META NAME="Robots" CONTENT="noai"><meta name="robots" content="index"><meta name=TDM-Reservation content=1>
      <link rel="license" href="https://creativecommons.org/licenses/by/4.0/"></head><body><img src=" a&amp;b.png " alt="d&eacute;j&#224; &lt;vu&gt;"><IMG SRC=b.png><img alt="no source">
      <script>document.write('<img src="no.png" alt="x">')</script><!-- <img src="no.png" alt="x"> --><noscript><img src="c.png" alt=""></noscript><img data-src="d.png" src="" alt="late">`);
    expect(page).toEqual({
      pageUrl: 'http://page.test/',
      base: '/a/',
      refusals: ['noai'],
      reservations: ['tdm-reservation: 1'],
      licence: 'https://creativecommons.org/licenses/by/4.0/',
      links: [
        { url: 'a&b.png', text: 'déjà <vu>' },
        { url: 'b.png', text: undefined },
        { url: 'c.png', text: '' },
        // As in a WAT: the rules drop it.
        { url: '', text: 'late' },
      ],
    });
  });

  it('takes lazy attributes and srcset when asked', () => {
    const html =
      '<img data-src="a.png" src="x.gif" alt="1"><img srcset="s.png 100w, l.png 900w, m,1.png 500w" alt="2"><img srcset="one.png, two.png 2x" alt="3"><img src="b.png" alt="4">';
    expect(read(html, 'image', ['data-src', 'srcset', 'src']).links.map(({ url }) => url)).toEqual(['a.png', 'l.png', 'two.png', 'b.png']);
    expect(read(html).links.map(({ url }) => url)).toEqual(['x.gif', 'b.png']);
  });

  it('reads links to documents with their text', () => {
    expect(read('<a href="t.pdf">A  <b>paper</b>\n</a><a name="x">no</a><video src="v.mp4"></video><a href="u.pdf"></a>', 'any').links).toEqual([
      { url: 't.pdf', text: 'A paper' },
      { url: 'v.mp4', text: undefined },
      { url: 'u.pdf', text: undefined },
    ]);
  });

  it('takes hostile HTML', () => {
    const hostile = [
      '<div>'.repeat(200_000),
      '<a>'.repeat(100_000),
      `${'<ul><li>'.repeat(50_000)}${'</p></li>'.repeat(50_000)}`,
      `<img src="${'x'.repeat(3_000_000)}" alt="y">`,
      '<img src=a alt="',
      '<'.repeat(100_000),
      '&#x110000;&#xd800;&nosuch;'.repeat(1000),
      `<img ${'a '.repeat(200_000)}>`,
      '\u0000<img\u0000src=x>',
    ];
    const started = performance.now();
    for (const html of hostile) expect(() => read(html, 'any')).not.toThrow();
    // Linear: with the parser's own stack of open elements the first alone takes ten seconds and more.
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('parseHttpResponse', () => {
  const response = (fields: string, body: Buffer | string) =>
    parseHttpResponse(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`), Buffer.from(body)]))!;

  it('takes off chunks and compression, and leaves alone what only says so', () => {
    expect(response('Transfer-Encoding: chunked', '4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\n\r\n').body.toString()).toBe('abcdefg');
    expect(response('Transfer-Encoding: chunked', '<html>').body.toString()).toBe('<html>');
    expect(response('Content-Encoding: gzip', gzipSync('text')).body.toString()).toBe('text');
    expect(response('Content-Encoding: br', brotliCompressSync('text')).body.toString()).toBe('text');
    expect(response('Content-Encoding: gzip', 'plain').body.toString()).toBe('plain');
    expect(parseHttpResponse(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toBeUndefined();
  });

  it('knows HTML and its charset', () => {
    expect([
      isHtml(response('Content-Type: Text/HTML; charset=x', '')),
      isHtml(response('Content-Type: image/png', '<html>')),
      isHtml(response('Server: x', ' <!DOCTYPE html>')),
    ]).toEqual([true, false, true]);
    const latin = Buffer.from('é', 'latin1');
    expect(htmlText(response('Content-Type: text/html; charset=iso-8859-1', latin))).toBe('é');
    expect(htmlText(response('Content-Type: text/html', Buffer.concat([Buffer.from('<meta charset=windows-1251>'), Buffer.from([0xcf])])))).toBe(
      '<meta charset=windows-1251>П',
    );
    expect(htmlText(response('Content-Type: text/html', 'é'))).toBe('é');
    expect(htmlText(response('Content-Type: text/html; charset=nosuch', latin))).toBe('é');
    expect(htmlText(response('Content-Type: text/html', '\ufeffé'))).toBe('é');
  });
});
