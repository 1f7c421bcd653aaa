import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readHtmlPage } from '../../src/formats/html-page.ts';

/**
 * Pages with the oddities of HTML, and the image links that Common Crawl's own extractor has for them in a WAT (made by
 * bench/extract/make-wats.sh, ia-web-commons 39b5c22). `ours` is there where we differ: by docs/notes/extract.md, "HTML of a WARC".
 */
interface Golden {
  html: string;
  base: string | null;
  links: [url: string, alt: string | null][];
  ours?: Pick<Golden, 'base' | 'links'>;
}

const pages = JSON.parse(readFileSync(join(import.meta.dirname, 'html-page.golden.json'), 'utf8')) as Golden[];

it(`the links of ${pages.length} odd pages are those of Common Crawl's extractor, but for the differences that are known`, () => {
  for (const { html, ours, ...extractor } of pages) {
    const { base = null, links } = readHtmlPage(html, 'http://odd.test/', 'image', ['src']);
    expect({ base, links: links.map(({ url, text = null }) => [url, text]) }, html).toEqual(ours ?? extractor);
  }
  expect(pages.filter(({ ours }) => ours)).toHaveLength(26);
});
