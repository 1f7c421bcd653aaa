import { packageVersion } from '../contracts/package-root.ts';

/** Our product token, as it stands in robots.txt and X-Robots-Tag. */
export const ROBOTS_TOKEN = 'pairmill';

/** Says who asks and, with a contact (URL or mail address), whom to write to; never that it is a browser. */
export function userAgent(contact: string | undefined): string {
  return `${ROBOTS_TOKEN}/${packageVersion()} (image-text dataset builder${contact ? `; +${contact}` : ''})`;
}
