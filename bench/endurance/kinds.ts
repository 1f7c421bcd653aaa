import type { DropReason } from '../../src/contracts/drop-reason.ts';

export type Fate = DropReason<'download'> | 'success';

/** Kinds of links, how many of a thousand, and what download has to say of each. `hosts`: they have hosts of their own, of this name. */
export const kinds = {
  jpeg: { share: 645, fate: 'success' },
  png: { share: 20, fate: 'success' },
  webp: { share: 20, fate: 'success' },
  polyglot: { share: 10, fate: 'success' },
  redirect: { share: 30, fate: 'success' },
  drips: { share: 15, fate: 'success' },
  /** 503 with Retry-After at first. */
  busy: { share: 10, fate: 'success' },
  /** Breaks off at first. */
  flaky: { share: 15, fate: 'success' },
  'not-found': { share: 50, fate: 'http-not-found' },
  forbidden: { share: 15, fate: 'http-forbidden' },
  'too-many': { share: 5, fate: 'http-too-many-requests' },
  'server-error': { share: 10, fate: 'http-server-error' },
  teapot: { share: 3, fate: 'http-error' },
  loop: { share: 5, fate: 'redirect-loop' },
  'to-private': { share: 5, fate: 'private-address' },
  private: { share: 5, fate: 'private-address' },
  'no-url': { share: 3, fate: 'url-invalid' },
  stalls: { share: 5, fate: 'timeout' },
  silent: { share: 3, fate: 'timeout' },
  reset: { share: 10, fate: 'connection-failed' },
  'cut-short': { share: 5, fate: 'connection-failed' },
  'no-http': { share: 3, fate: 'connection-failed' },
  endless: { share: 3, fate: 'body-too-large' },
  'too-large': { share: 5, fate: 'body-too-large' },
  tiny: { share: 5, fate: 'too-few-bytes' },
  html: { share: 10, fate: 'not-an-image' },
  gif: { share: 5, fate: 'not-an-image' },
  'gzip-bomb': { share: 3, fate: 'not-an-image' },
  'pixel-bomb': { share: 3, fate: 'too-many-pixels' },
  truncated: { share: 5, fate: 'decode-failed' },
  'x-robots-tag': { share: 5, fate: 'x-robots-tag' },
  'tdm-reservation': { share: 4, fate: 'tdm-reservation' },
  'robots-txt': { share: 10, fate: 'robots-txt', hosts: 'shut' },
  /** 503 with a Retry-After of an hour. */
  closed: { share: 10, fate: 'http-server-error', hosts: 'closed' },
  /** Accepts connections and never answers. */
  hanging: { share: 10, fate: 'timeout', hosts: 'hanging' },
  /** Refuses connections. */
  dead: { share: 30, fate: 'connection-failed', hosts: 'dead' },
} as const satisfies Record<string, { share: number; fate: Fate; hosts?: string }>;

export type Kind = keyof typeof kinds;
