import type { OptOuts } from './opt-outs.ts';

/** What a crawled page holds of interest, from a WAT record or from the answer with the page's HTML in a WARC record. */
export interface CrawlPage extends OptOuts {
  pageUrl: string;
  /** `href` of the page's base element, as it is written; relative to the page's URL. */
  base: string | undefined;
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

/** Whether a link leads to a licence text of Creative Commons. */
export function isLicenceUrl(url: string): boolean {
  return /^(?:https?:)?\/\/(?:www\.)?creativecommons\.org\/(?:licenses|publicdomain)\//i.test(url);
}
