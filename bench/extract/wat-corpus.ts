import { existsSync, renameSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { randomSource } from '../../test/random-source.ts';

/**
 * A WAT file with the statistics of Common Crawl's, for the bench: full-size ones can't be had here. Per page as in
 * CC-MAIN-2022-40: 18.6 image links, 10.3 of them with alt text (733,994 and 405,232 in one file of about 39,400 pages:
 * cc2dataset's test; 3.15 G pages in 80,000 files: Common Crawl's announcement), and records of the request and of the crawler's
 * metadata beside each page's. The form is that of genuine WATs (217 pages of ../shared/data/warc through Common Crawl's
 * extractor, extract/make-wats.sh): order of keys, no white space, utf-8 unescaped, a fifth of the pages without an image,
 * quotes and line ends in one alt text of a hundred, titles on some, links without a URL. Half of the image URLs are relative
 * (of one's own site), a fiftieth data URLs, a third of the pages have a robots meta tag, one in 25 a base element, one
 * in 60 a licence link; these shares, and texts of words in eight languages with Zipf's distribution, are our guess.
 */
const PAGES_PER_MB = 35;

const words = [
  'the of and to in for with on new free photo image home product view logo picture blue red black white house garden summer kitchen table wedding best vintage women men shoes dress car city night water mountain beach flower',
  'der die und das mit für von im auf Bild Foto Haus Garten schön Küche neu groß Straße Winter Sommer Berg Wasser Kinder Schuhe',
  'de la le et les des en pour avec une photo maison été forêt château vélo cuisine enfant rouge bleu fenêtre',
  'el la de que en los con para una foto casa niño año verano playa montaña cocina corazón música',
  'и в на с для по фото дом лето зима вода город ночь картинка цена купить новый кухня стол дети',
  '写真 画像 家 東京 日本 夏 海 料理 花 新しい 商品 無料 ロゴ 公式',
  '图片 中国 产品 首页 北京 公司 新闻 上海 价格 介绍 服务',
  'zdjęcie dom ogród lato kuchnia stół dzieci góry morze nowy czarny biały książka',
].map((line) => line.split(' '));

function pageJson(random: ReturnType<typeof randomSource>, page: number): { url: string; json: string } {
  const list = words[random.next() < 0.45 ? 0 : random.below(words.length)]!;
  const word = (): string => list[Math.floor(list.length * random.next() ** 2)]!;
  const text = (n: number): string => Array.from({ length: 1 + random.below(n) }, word).join(' ');
  const slug = (): string => `${words[0]![random.below(words[0]!.length)]}-${words[0]![random.below(words[0]!.length)]}-${random.below(100_000).toString(36)}`;
  const host = `www.${slug().replaceAll(/[^a-z0-9-]/g, '')}.com`;
  const url = `https://${host}/${slug()}/${slug()}.html`;
  const images = random.next() < 0.2 ? 0 : Math.floor(-22.7 * Math.log(1 - random.next())) + 1;
  const anchors = 150 + random.below(120);
  const links: object[] = [];
  for (let i = 0; i < images + anchors; i++) {
    if (random.next() < images / (images + anchors)) {
      const path = `/wp-content/uploads/20${10 + random.below(13)}/0${1 + random.below(9)}/${slug()}-${random.below(2000)}x${random.below(2000)}.${['jpg', 'jpg', 'png', 'webp', 'gif', 'svg'][random.below(6)]}`;
      const dice = random.next();
      const src =
        dice < 0.02
          ? 'data:image/png;base64,'
          : dice < 0.4
            ? path
            : dice < 0.5
              ? path.slice(1)
              : dice < 0.55
                ? `//cdn.${host}${path}`
                : dice < 0.6
                  ? `https://${host}/_next/image?url=${encodeURIComponent(path)}&w=640&q=75`
                  : `https://${host}${path}`;
      const alt = random.next() < 0.08 ? '' : text(9) + (random.next() < 0.01 ? ' 15" screen\nnew' : '');
      const title = random.next() < 0.05 ? { title: alt } : {};
      links.push(random.next() < 0.552 ? { path: 'IMG@/src', url: src, alt, ...title } : { path: 'IMG@/src', url: src });
    } else if (random.next() < 0.02) links.push(random.next() < 0.5 ? {} : { path: 'STYLE/#text', href: `/${slug()}.css` });
    else
      links.push({ path: 'A@/href', url: random.next() < 0.7 ? `/${slug()}/${slug()}` : `https://${host}/${slug()}/?p=${random.below(9999)}`, text: text(6) });
  }
  if (random.next() < 1 / 60) links.push({ path: 'A@/href', url: 'https://creativecommons.org/licenses/by-sa/4.0/', text: 'CC BY-SA' });
  const metas: object[] = [
    { name: 'HTML@/lang', content: 'en' },
    { name: 'viewport', content: 'width=device-width, initial-scale=1' },
    { name: 'description', content: text(40) },
  ];
  if (random.next() < 1 / 3) metas.push({ name: 'robots', content: random.next() < 0.06 ? 'noindex, follow' : 'index, follow, max-image-preview:large' });
  for (let i = 0; i < 14; i++) metas.push({ property: `og:${word()}`, content: text(12) });
  const json = JSON.stringify({
    Container: {
      Filename: 'CC-MAIN-20220924151538-20220924181538-00000.warc.gz',
      Compressed: true,
      Offset: String(page * 9000),
      'Gzip-Metadata': { 'Deflate-Length': '8000', 'Header-Length': '10', 'Footer-Length': '8', 'Inflated-CRC': '1', 'Inflated-Length': '31000' },
    },
    Envelope: {
      'Payload-Metadata': {
        'Actual-Content-Type': 'application/http; msgtype=response',
        'HTTP-Response-Metadata': {
          'Response-Message': { Version: 'HTTP/1.1', Status: '200', Reason: 'OK' },
          Headers: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`X-Header-${i}`, slug()])),
          'HTML-Metadata': {
            Head: {
              Metas: metas,
              Title: text(10),
              ...(random.next() < 0.04 ? { Base: `https://${host}/` } : {}),
              Link: Array.from({ length: 12 }, () => ({ path: 'LINK@/href', url: `https://${host}/${slug()}.css`, rel: 'stylesheet' })),
              Scripts: Array.from({ length: 14 }, () => ({ path: 'SCRIPT@/src', url: `https://${host}/${slug()}.js` })),
            },
            Links: links,
          },
          'Entity-Digest': 'sha1:IE7NEN3QEJHUCYRRGVMHDDW3BEHFRQ6V',
        },
      },
      Format: 'WARC/1.0',
      'WARC-Header-Metadata': { 'WARC-Type': 'response', 'WARC-Target-URI': url },
    },
  });
  return { url, json };
}

function record(url: string, json: string): Buffer {
  const block = Buffer.from(json);
  return Buffer.concat([
    Buffer.from(
      `WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Target-URI: ${url}\r\nWARC-Date: 2022-10-08T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:3d3f4785-c69a-4f8c-968c-d23302c55ef4>\r\nWARC-Refers-To: <urn:uuid:292f457d-203c-42f2-a1b5-69a4dabefd4f>\r\nContent-Type: application/json\r\nContent-Length: ${block.length}\r\n\r\n`,
    ),
    block,
    Buffer.from('\r\n\r\n'),
  ]);
}

/** Writes the file once; returns its size when uncompressed. Deterministic. */
export async function writeWat(path: string, megabytes: number): Promise<void> {
  if (existsSync(path)) return;
  const random = randomSource(2022);
  const file = await open(`${path}.tmp`, 'w');
  for (let page = 0; page < megabytes * PAGES_PER_MB; page++) {
    const { url, json } = pageJson(random, page);
    const small = (kind: string): string =>
      JSON.stringify({
        Container: { Filename: 'x' },
        Envelope: {
          'Payload-Metadata': {
            [kind]: {
              Headers: {
                'User-Agent': 'CCBot/2.0 (https://commoncrawl.org/faq/)',
                Host: new URL(url).host,
                Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
              },
            },
          },
          Format: 'WARC/1.0',
          'WARC-Header-Metadata': { 'WARC-Target-URI': url, 'WARC-Type': 'request', 'WARC-IP-Address': '208.80.154.224' },
        },
      });
    for (const content of [small('HTTP-Request-Metadata'), json, small('WARC-Metadata-Metadata')]) await file.write(gzipSync(record(url, content)));
  }
  await file.close();
  renameSync(`${path}.tmp`, path);
}
