import type { DropReason } from '../../contracts/drop-reason.ts';
import type { Candidate, Reject } from '../../contracts/records.ts';
import type { PageLink } from '../../formats/crawl-page.ts';
import { cutText } from '../../formats/cut-text.ts';
import { sampleHash, sampleUid } from '../../formats/sample-hash.ts';
import { captionColumns } from './caption-columns.ts';
import { cleanText, codePoints } from './clean-text.ts';
import { isDocument } from './document-type.ts';
import type { LanguageDetector } from '../../language/language-detector.ts';
import type { ExtractOptions } from './options.ts';
import type { PlacedPage } from './read-pages.ts';
import { extensionOf, hostOf, UrlResolver } from './resolve-url.ts';
import { UrlSet } from './url-set.ts';

export type Drop = (reason: DropReason<'extract'>, item: () => Omit<Reject, 'reason'>) => void;

/** Longest URL or text that is kept of a dropped link: some are megabytes. */
const MAX_REJECT_LENGTH = 2000;

const DATA_URL = /^\s*(data:|javascript:)/i;
const BLANK = /^\s*$/;

/** What a page says of all its links. */
interface Provenance {
  licence: string | null;
  pageUrl: string;
  offset: bigint;
  licenceLeftOut: boolean;
  pageUrlCut: boolean;
}

/** Turns the links of one crawl file's pages into candidates: applies the rules in a fixed order, the first that fails drops. */
export class LinkRules {
  /** Links that came in. */
  links = 0;
  /** Candidates of which a column was longer than allowed: texts and page URLs are cut, a licence is left out. */
  readonly cut = { text: 0, licence: 0, page_url: 0 };
  readonly #options: ExtractOptions;
  readonly #crawlFile: string;
  readonly #detector: LanguageDetector | undefined;
  readonly #drop: Drop;
  readonly #seen = new UrlSet();
  readonly #excluded: ReadonlySet<string>;

  constructor(options: ExtractOptions, crawlFile: string, detector: LanguageDetector | undefined, drop: Drop) {
    this.#options = options;
    this.#crawlFile = crawlFile;
    this.#detector = detector;
    this.#drop = drop;
    this.#excluded = new Set(
      options.documentType.startsWith('image') ? options.excludedExtensions.map((extension) => extension.replace(/^\./, '').toLowerCase()) : [],
    );
  }

  /** The candidates of a page, in the order of its links. */
  *page(page: PlacedPage): Generator<Candidate> {
    const resolver = new UrlResolver(page.pageUrl, page.base);
    const provenance = this.#provenance(page);
    const refused = this.#options.respectPageRobots ? page.refusals[0] : undefined;
    const reserved = this.#options.tdmReservation ? page.reservations[0] : undefined;
    for (const link of page.links) {
      this.links++;
      if (refused !== undefined) this.#reject(resolver, 'page-opt-out', link.url, link.text, refused);
      else if (reserved !== undefined) this.#reject(resolver, 'page-tdm-reservation', link.url, link.text, reserved);
      else {
        const candidate = this.#candidate(provenance, link, resolver);
        if (candidate) yield candidate;
      }
    }
  }

  /** What all candidates of a page have in common. Both URLs come from the page, and one of a megabyte would be in each of its rows. */
  #provenance({ pageUrl, licence, offset }: PlacedPage): Provenance {
    const { maxUrlLength } = this.#options;
    const isLong = licence !== undefined && licence.length > maxUrlLength;
    const { text, cut } = cutText(pageUrl, maxUrlLength);
    return { licence: isLong ? null : (licence ?? null), pageUrl: text, offset: BigInt(offset), licenceLeftOut: isLong, pageUrlCut: cut };
  }

  #candidate(page: Provenance, link: PageLink, resolver: UrlResolver): Candidate | undefined {
    const { documentType, minTextLength, maxTextLength } = this.#options;
    const wanted = documentType === 'image';
    if (wanted && (link.text === undefined || link.text === '')) return this.#reject(resolver, 'no-text', link.url, link.text);
    if (!isDocument(link.url, documentType)) return this.#reject(resolver, 'wrong-type', link.url, link.text, undefined, documentType);
    const url = this.#url(link, resolver);
    if (url === undefined) return undefined;
    const { text, cut } = cutText(cleanText(link.text ?? ''), maxTextLength);
    if (wanted && (text.length < minTextLength || codePoints(text) < minTextLength))
      return this.#reject(resolver, 'text-too-short', url, link.text, codePoints(text), minTextLength);
    const { dedupKey } = this.#options;
    if (dedupKey !== 'url+language' && !this.#seen.add(dedupKey === 'url' ? url : `${url}\n${text}`)) return this.#reject(resolver, 'duplicate-url', url, text);
    // Costs more than all else, so it comes after what drops.
    const { language, confidence } = this.#language(text);
    if (dedupKey === 'url+language' && !this.#seen.add(`${url}\n${language}`)) return this.#reject(resolver, 'duplicate-url', url, text);
    if (cut) this.cut.text++;
    if (page.licenceLeftOut) this.cut.licence++;
    if (page.pageUrlCut) this.cut.page_url++;
    return {
      url,
      text,
      language,
      language_confidence: confidence,
      licence: page.licence,
      hash: sampleHash(url, text),
      uid: sampleUid(url, text),
      page_url: page.pageUrl,
      crawl_file: this.#crawlFile,
      record_offset: page.offset,
      ...captionColumns(text),
    };
  }

  /** The absolute URL, or undefined where a rule has dropped the link. */
  #url({ url: raw, text }: PageLink, resolver: UrlResolver): string | undefined {
    const { maxUrlLength, maxHostLength } = this.#options;
    // Many are data URLs of kilobytes: no parser need see them.
    const scheme = DATA_URL.exec(raw)?.[1];
    if (scheme !== undefined) return this.#reject(resolver, 'url-scheme', raw, text, scheme.toLowerCase());
    // An empty source would be the page itself.
    const url = BLANK.test(raw) ? undefined : resolver.resolve(raw);
    if (url === undefined) return this.#reject(resolver, 'url-invalid', raw, text);
    if (!url.startsWith('http:') && !url.startsWith('https:')) return this.#reject(resolver, 'url-scheme', url, text, url.slice(0, url.indexOf(':') + 1));
    if (url.length > maxUrlLength) return this.#reject(resolver, 'url-too-long', url, text, url.length, maxUrlLength);
    const host = hostOf(url);
    if (host.length > maxHostLength) return this.#reject(resolver, 'host-too-long', url, text, host.length, maxHostLength);
    const extension = extensionOf(url);
    if (this.#excluded.has(extension)) return this.#reject(resolver, 'url-format', url, text, extension);
    return url;
  }

  #language(text: string): { language: string; confidence: number } {
    const found = this.#detector?.detect(text);
    return found ? { language: found.code, confidence: found.confidence } : { language: '', confidence: 0 };
  }

  #reject(
    resolver: UrlResolver,
    reason: DropReason<'extract'>,
    url: string,
    text: string | undefined,
    value?: string | number,
    threshold?: string | number,
  ): undefined {
    // Absolute, so that it can be looked up; resolved only for what is kept.
    this.#drop(reason, () => ({
      hash: null,
      url: (resolver.resolve(url) ?? url).slice(0, MAX_REJECT_LENGTH),
      text: text?.slice(0, MAX_REJECT_LENGTH) ?? null,
      value: value === undefined ? null : String(value).slice(0, MAX_REJECT_LENGTH),
      threshold: threshold === undefined ? null : String(threshold),
    }));
    return undefined;
  }
}
