// Every image link of the web is of exactly one kind. The share is per right-captioned candidate; a kind that
// costs the client a deadline or a byte cap is rarer than one that costs nothing.

const shares = {
  right: 1,
  'wrong-caption': 0.08,
  'name-no-language': 0.02,
  'near-duplicate': 0.02,
  'mojibake-text': 0.01,
  'long-text': 0.005,

  'duplicate-url-in-file': 0.02,
  'duplicate-url-across-files': 0.02,
  'short-alt': 0.02,
  'no-alt': 0.03,
  'svg-url': 0.02,
  'gif-url': 0.02,
  'data-url': 0.01,
  'javascript-url': 0.005,
  'long-url': 0.005,
  'bad-host': 0.005,
  'private-address': 0.005,

  'robots-txt': 0.02,
  'robots-txt-agent': 0.01,
  'x-robots-tag': 0.02,
  'x-robots-other': 0.01,
  'tdm-reservation': 0.01,
  'meta-robots': 0.02,
  'page-tdm-reservation': 0.01,

  'tiny-file': 0.01,
  'broken-image': 0.005,
  'truncated-image': 0.005,
  'pixel-bomb': 0.002,
  'svg-content': 0.005,
  'gif-content': 0.005,

  'status-404': 0.03,
  'status-403': 0.01,
  'status-429': 0.005,
  'status-500': 0.005,
  redirect: 0.02,
  'redirect-loop': 0.005,
  'redirect-to-private': 0.003,
  'slow-body': 0.005,
  'stalled-body': 0.0015,
  'endless-body': 0.001,
} as const;

export type Kind = keyof typeof shares;

export const kinds = Object.keys(shares) as Kind[];

/** Even the smallest crawl has some of every kind, or a test over it would prove nothing. */
const fewest = 3;

export function countOf(kind: Kind, candidates: number): number {
  if (kind === 'right') return candidates;
  return Math.max(fewest, Math.round(shares[kind] * candidates));
}
