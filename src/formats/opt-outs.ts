import { disallowedDirective } from './x-robots-tag.ts';

/** What a page, or the answer that brought it, says against the use of its images. */
export interface OptOuts {
  /** `content` of meta tags, named robots or as our user agent, and X-Robots-Tag headers that refuse the use. */
  refusals: string[];
  /** tdm-reservation headers and meta tags (TDMRep) that reserve text and data mining. */
  reservations: string[];
}

export const noOptOuts: Readonly<OptOuts> = { refusals: [], reservations: [] };

/** Our name, as in robots.txt. */
const TOKEN = 'pairmill';
const DIRECTIVES = new Set(['noai', 'noimageai', 'noindex', 'noimageindex']);
const RESERVATION = 'tdm-reservation';
/** `none` is noindex and nofollow. */
const REFUSING = /(?:^|[\s,;:])(?:noai|noimageai|noindex|noimageindex|none)(?:$|[\s,;])/i;

/** Adds what a meta tag says, if it is addressed to us. */
export function addMeta(to: OptOuts, name: unknown, content: unknown): void {
  if (typeof name !== 'string' || typeof content !== 'string') return;
  if (/^(?:robots|pairmill)$/i.test(name) && REFUSING.test(content)) to.refusals.push(content);
  else if (name.toLowerCase() === RESERVATION && content.trim() === '1') to.reservations.push(`${RESERVATION}: 1`);
}

/** Adds what the header of an answer says: its fields, of which one may have several values. */
export function addHeader(to: OptOuts, fields: Iterable<[string, unknown]>): void {
  for (const [field, value] of fields) {
    const name = field.toLowerCase();
    for (const each of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof each !== 'string') continue;
      if (name === 'x-robots-tag' && disallowedDirective([each], TOKEN, DIRECTIVES) !== undefined) to.refusals.push(`X-Robots-Tag: ${each}`);
      else if (name === RESERVATION && each.trim() === '1') to.reservations.push(`${RESERVATION}: 1`);
    }
  }
}

/** A look at the JSON of meta tags or of a header that is quicker than reading it, and never says no where there is an opt-out. */
export function mayOptOut(json: string): boolean {
  return /"(?:robots|pairmill|x-robots-tag|tdm-reservation)"/i.test(json);
}
