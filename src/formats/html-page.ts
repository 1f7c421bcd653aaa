import { Parser } from 'htmlparser2';
import { type CrawlPage, isLicenceUrl, type LinkKind, type PageLink } from './crawl-page.ts';
import { addMeta } from './opt-outs.ts';

/** Longest text of a link that is kept. */
const LONGEST_TEXT = 10_000;

/**
 * Links out of a page's HTML, by the rules of Common Crawl's extractor as far as images go: an image link is an `img`
 * with a `src` (as written, entities decoded, white space at the ends gone), its text the `alt` (undefined where there is
 * none). `attributes`: those of `img` that hold a URL, in order of preference; of `srcset` and `data-srcset` the widest.
 */
export function readHtmlPage(html: string, pageUrl: string, kind: LinkKind, attributes: readonly string[]): CrawlPage {
  const page = new PageHandler(pageUrl, kind, attributes);
  const parser = new FlatParser(page);
  parser.write(html);
  parser.end();
  return page.page;
}

/** Elements are not nested here: only tags count, and the parser's stack takes minutes for a page of 200,000 open `div`. */
class FlatParser extends Parser {
  readonly #page: PageHandler;

  constructor(page: PageHandler) {
    super(page);
    this.#page = page;
  }

  protected override isVoidElement(name: string): boolean {
    return name !== 'a' || this.#page.openAnchors >= MAX_ANCHORS;
  }
}

/** Links within links that are followed; a page has none. */
const MAX_ANCHORS = 100;

/** Attributes that lead to a document, by element, beside `img`. */
const SOURCES: Readonly<Record<string, string>> = {
  a: 'href',
  area: 'href',
  audio: 'src',
  video: 'src',
  source: 'src',
  embed: 'src',
  iframe: 'src',
  track: 'src',
  object: 'data',
};

class PageHandler {
  readonly page: CrawlPage;
  readonly #kind: LinkKind;
  readonly #attributes: readonly string[];
  openAnchors = 0;
  /** The link whose text is being read. */
  #anchor: PageLink | undefined;

  constructor(pageUrl: string, kind: LinkKind, attributes: readonly string[]) {
    this.page = { pageUrl, base: undefined, refusals: [], reservations: [], licence: undefined, links: [] };
    this.#kind = kind;
    this.#attributes = attributes;
  }

  onopentag(name: string, attributes: Record<string, string>): void {
    const { page } = this;
    if (name === 'img') this.#image(attributes);
    else if (name === 'base') page.base ??= attributes['href'];
    else if (name === 'meta') addMeta(page, attributes['name'], attributes['content']);
    else if (name === 'a' || name === 'area' || name === 'link') {
      const href = attributes['href'];
      if (href !== undefined && page.licence === undefined && isLicenceUrl(href.trim())) page.licence = href.trim();
    }
    if (name === 'a') this.openAnchors++;
    const source = SOURCES[name];
    if (this.#kind !== 'any' || source === undefined || attributes[source] === undefined) return;
    const link: PageLink = { url: attributes[source].trim(), text: undefined };
    page.links.push(link);
    if (name === 'a') this.#anchor = link;
  }

  ontext(text: string): void {
    if (this.#anchor && (this.#anchor.text?.length ?? 0) < LONGEST_TEXT) this.#anchor.text = (this.#anchor.text ?? '') + text;
  }

  onclosetag(name: string): void {
    if (name !== 'a') return;
    this.openAnchors--;
    if (!this.#anchor) return;
    const text = this.#anchor.text?.replaceAll(/\s+/g, ' ').trim();
    this.#anchor.text = text === '' ? undefined : text;
    this.#anchor = undefined;
  }

  #image(attributes: Record<string, string>): void {
    for (const name of this.#attributes) {
      const value = attributes[name]?.trim();
      if (value === undefined || value === '') continue;
      this.page.links.push({ url: name.endsWith('srcset') ? widest(value) : value, text: attributes['alt'] });
      return;
    }
    // As a WAT has it: a link that is dropped later, and counted.
    if (this.#attributes.includes('src') && attributes['src'] !== undefined) this.page.links.push({ url: '', text: attributes['alt'] });
  }
}

/** The URL of a srcset that is for the widest picture. Parts are told apart by white space, as the standard has it: a URL may hold commas. */
function widest(srcset: string): string {
  let best = { url: '', size: -1 };
  let url = '';
  for (const token of srcset.split(/\s+/)) {
    const last = token.endsWith(',');
    const text = last ? token.slice(0, -1) : token;
    let size = 1;
    if (url === '') url = text;
    else if (/^[\d.]+[wx]$/.test(text)) size = Number.parseFloat(text);
    if (url !== '' && size > best.size) best = { url, size };
    if (last) url = '';
  }
  return best.url;
}
