import { type CrawlPage, isLicenceUrl, type LinkKind, type PageLink, refusal } from './crawl-page.ts';

/**
 * A WAT record read by parsing the whole JSON: the reference that `wat-page` must equal, and what it falls back to.
 * Undefined where the record describes no page with links. Throws SyntaxError where the text is not JSON.
 */
export function parseWatJson(text: string, pageUrl: string | undefined, kind: LinkKind): CrawlPage | undefined {
  const envelope = child(JSON.parse(text), 'Envelope');
  const html = child(child(child(envelope, 'Payload-Metadata'), 'HTTP-Response-Metadata'), 'HTML-Metadata');
  const links = child(html, 'Links');
  const url = pageUrl ?? child(child(envelope, 'WARC-Header-Metadata'), 'WARC-Target-URI');
  if (!Array.isArray(links) || typeof url !== 'string') return undefined;
  const head = child(html, 'Head');
  return {
    pageUrl: url,
    ...parseHead(head),
    licence: licenceOf(html as Record<string, unknown>),
    links: kind === 'image' ? imageLinks(links) : anyLinks(links),
  };
}

/** What a WAT says of a page's head. */
export function parseHead(head: unknown): Pick<CrawlPage, 'base' | 'refusals'> {
  const base = child(head, 'Base');
  const metas = child(head, 'Metas');
  const list: unknown[] = Array.isArray(metas) ? metas : [metas];
  return {
    base: typeof base === 'string' ? base : undefined,
    refusals: list.map((meta) => refusal(child(meta, 'name'), child(meta, 'content'))).filter((content) => content !== undefined),
  };
}

function child(value: unknown, key: string): unknown {
  return value !== null && typeof value === 'object' && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

/** The first licence link in the order of the record: of the head's links or the body's, whichever the extractor has put first. */
function licenceOf(html: Record<string, unknown>): string | undefined {
  for (const [key, value] of Object.entries(html)) {
    const links = key === 'Head' ? child(value, 'Link') : key === 'Links' ? value : undefined;
    if (!Array.isArray(links)) continue;
    for (const link of links as unknown[]) {
      const url = child(link, 'url');
      if (typeof url === 'string' && isLicenceUrl(url)) return url;
    }
  }
  return undefined;
}

function imageLinks(links: unknown[]): PageLink[] {
  const found: PageLink[] = [];
  for (const link of links) {
    const url = child(link, 'url');
    if (child(link, 'path') !== 'IMG@/src' || typeof url !== 'string') continue;
    const alt = child(link, 'alt');
    found.push({ url, text: typeof alt === 'string' ? alt : undefined });
  }
  return found;
}

function anyLinks(links: unknown[]): PageLink[] {
  const found: PageLink[] = [];
  for (const link of links) {
    const url = child(link, 'url');
    const text = child(link, 'text');
    if (typeof url === 'string') found.push({ url, text: typeof text === 'string' ? text : undefined });
  }
  return found;
}
