/** What a crawled page holds of interest, from a WAT record or from the page's HTML in a WARC record. */
export interface CrawlPage {
  pageUrl: string;
  /** `href` of the page's base element, as it is written; relative to the page's URL. */
  base: string | undefined;
  /** `content` of the meta tags, named robots or as our user agent, that refuse the use of the page's images. */
  refusals: string[];
  /** First link of the page to a licence of creativecommons.org. */
  licence: string | undefined;
  links: PageLink[];
}

export interface PageLink {
  /** As it is written in the page. */
  url: string;
  /** Alt text of an image, text of another link; undefined where there is none. */
  text: string | undefined;
}

/** Which links of a page are asked for: `src` of images, or any link (documents, sound, films). */
export type LinkKind = 'image' | 'any';

/** The `content` of a page's meta tag where it is addressed to us and refuses the use of the images. */
export function refusal(name: unknown, content: unknown): string | undefined {
  if (typeof name !== 'string' || typeof content !== 'string') return undefined;
  return /^(?:robots|pairmill)$/i.test(name) && REFUSING.test(content) ? content : undefined;
}

/** `none` is noindex and nofollow. */
const REFUSING = /(?:^|[\s,;:])(?:noai|noimageai|noindex|noimageindex|none)(?:$|[\s,;])/i;

/** Whether a link leads to a licence text of Creative Commons. */
export function isLicenceUrl(url: string): boolean {
  return /^(?:https?:)?\/\/(?:www\.)?creativecommons\.org\/(?:licenses|publicdomain)\//i.test(url);
}
