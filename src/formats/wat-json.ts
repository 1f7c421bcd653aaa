import { type CrawlPage, isLicenceUrl, type LinkKind, type PageLink } from './crawl-page.ts';
import { addHeader, addMeta, type OptOuts } from './opt-outs.ts';

/**
 * A WAT record read by parsing the whole JSON: the reference that `wat-page` must equal, and what it falls back to.
 * Undefined where the record describes no page with links. Throws SyntaxError where the text is not JSON.
 */
export function parseWatJson(text: string, pageUrl: string | undefined, kind: LinkKind): CrawlPage | undefined {
  const envelope = child(JSON.parse(text), 'Envelope');
  const response = child(child(envelope, 'Payload-Metadata'), 'HTTP-Response-Metadata');
  const html = child(response, 'HTML-Metadata');
  const links = child(html, 'Links');
  const url = pageUrl ?? child(child(envelope, 'WARC-Header-Metadata'), 'WARC-Target-URI');
  if (!Array.isArray(links) || typeof url !== 'string') return undefined;
  const optOuts = parseHeaders(child(response, 'Headers'));
  return {
    pageUrl: url,
    ...parseHead(child(html, 'Head'), optOuts),
    licence: licenceOf(html as Record<string, unknown>),
    links: kind === 'image' ? imageLinks(links) : anyLinks(links),
  };
}

/** What a WAT says of the header of an answer: its opt-outs. */
export function parseHeaders(headers: unknown): OptOuts {
  const optOuts: OptOuts = { refusals: [], reservations: [] };
  if (headers !== null && typeof headers === 'object') addHeader(optOuts, Object.entries(headers));
  return optOuts;
}

/** What a WAT says of a page's head; its opt-outs are added to those of the header. */
export function parseHead(head: unknown, optOuts: OptOuts): Pick<CrawlPage, 'base'> & OptOuts {
  const base = child(head, 'Base');
  const metas = child(head, 'Metas');
  const list: unknown[] = Array.isArray(metas) ? metas : [metas];
  for (const meta of list) addMeta(optOuts, child(meta, 'name'), child(meta, 'content'));
  return { base: typeof base === 'string' ? base : undefined, ...optOuts };
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
