import { z } from 'zod';

/**
 * The closed list of reasons for which an item is dropped, by the stage that drops it, each with what it means.
 * Counters, `_stats.json`, `rejects/` and the final table use these names and no others.
 */
export const dropReasons = {
  list: {
    'no-url': 'the row has no URL',
    'url-too-long': 'longer than --max-url-length',
    'broken-row': 'the line has more or fewer values than the list has columns, or can not be read at all',
  },
  extract: {
    'no-text': 'the image link has no alt text',
    'text-too-short': 'fewer than --min-text-length characters after cleaning',
    'url-invalid': 'the URL is empty, or does not parse, also not against the page',
    'url-scheme': 'not http or https (data:, javascript:, …)',
    'url-too-long': 'longer than --max-url-length',
    'host-too-long': 'host name longer than --max-host-length',
    'url-format': 'an extension that no picture of ours has (.svg, .gif)',
    'page-opt-out': 'the page says noai, noimageai, noindex or noimageindex in a meta robots tag or an X-Robots-Tag header',
    'page-tdm-reservation': 'the page reserves text and data mining in a tdm-reservation header or meta tag',
    'duplicate-url': 'the URL came before in the same crawl file',
    'wrong-type': 'the URL does not end as the document type asks for (video, audio, text)',
  },
  dedup: {
    'duplicate-url': 'the bloom filter has the URL already',
  },
  import: {
    duplicate: 'the same URL and text (hash) came before in this shard',
    'not-an-image': 'the file is no picture that can be read',
    'too-many-pixels': 'the image has more pixels than --max-pixels',
    'decode-failed': 'the image is broken or cut off',
    'broken-json': 'the json beside the picture can not be read',
  },
  ingest: {
    duplicate: 'the same URL and text (hash) came before',
    'url-too-long': 'longer than 20,000 characters, in links of another tool (extract has dropped those of ours)',
  },
  download: {
    duplicate: 'the same URL and text (hash) came before in this batch',
    'url-invalid': 'the URL does not parse or is not http(s)',
    'private-address': 'the host is or resolves to a private, loopback, link-local or metadata address',
    'robots-txt': "the host's robots.txt disallows the URL for our user agent",
    'x-robots-tag': 'an X-Robots-Tag header disallows the use of the image',
    'tdm-reservation': 'a tdm-reservation header reserves text and data mining',
    'dns-failed': 'the host name does not resolve',
    'connection-failed': 'connecting, TLS or reading failed',
    timeout: 'the whole request took longer than --timeout',
    'redirect-loop': 'more redirects than --max-redirects',
    'http-not-found': 'HTTP 404 or 410',
    'http-forbidden': 'HTTP 401, 403 or 451',
    'http-too-many-requests': 'HTTP 429',
    'http-server-error': 'HTTP 5xx',
    'http-error': 'any other status that is not 2xx',
    'body-too-large': 'the body is larger than --max-bytes',
    'too-few-bytes': 'the body is smaller than --min-bytes',
    'not-an-image': 'the body is no JPEG, PNG or WebP (SVG and GIF included)',
    'too-many-pixels': 'the image declares more pixels than --max-pixels',
    'decode-failed': 'the image is broken or cut off',
    'image-too-small': 'a side is shorter than --min-image-size',
    'image-too-large': 'the area is larger than --max-image-area',
    'aspect-ratio': 'the longer side over the shorter is more than --max-aspect-ratio',
    'blocklisted-url': 'a list of --blocklist names the URL; it is not requested, and rejects name the hash alone',
    'blocklisted-file': 'a list of --blocklist names the hash of the file; rejects name the hash alone',
    'blocklisted-picture': 'the picture looks like one that a list of --blocklist names; rejects name the hash alone',
    'unreadable-boxes': 'the column that --bbox-col names holds no boxes that can be read',
    'hash-mismatch': 'the downloaded bytes do not have the hash that --verify-hash names',
  },
  filter: {
    'blocklisted-url': 'a list of --blocklist names the URL; rejects name the hash alone',
    'blocklisted-file': 'a list of --blocklist names the hash of the downloaded file; rejects name the hash alone',
    'blocklisted-picture': 'the picture looks like one that a list of --blocklist names; rejects name the hash alone',
    similarity: 'the cosine similarity of image and text is below the threshold of its set',
    'unlawful-underage': 'the picture is UNSURE or NSFW, and its categories or its text speak of a minor; rejects name the hash alone',
    'unlawful-animal': 'the picture is UNSURE or NSFW, and its nearest category is an animal; rejects name the hash alone',
    'decode-failed': 'the packed image could not be decoded',
    'text-failed': 'the text could not be tokenised',
  },
  embed: {
    'decode-failed': 'the packed image could not be decoded',
    'text-failed': 'the text could not be tokenised',
  },
  tag: {},
  semdedup: {
    duplicate: 'the same URL and text (hash) came before',
    'not-finite': 'the embedding holds a number that is not finite',
  },
  release: {
    duplicate: 'the same URL and text (hash) came before',
    'near-duplicate': 'the picture looks like one that is kept, by --drop-near-duplicates',
    'semantic-duplicate': 'semdedup found a picture that shows the same, by --drop-semantic-duplicates',
  },
  index: {
    'no-embedding': 'the sample has no embedding: embed dropped it, or its part is missing',
    'not-finite': 'the embedding holds a number that is not finite',
  },
} as const satisfies Record<string, Record<string, string>>;

/** Stages that drop something under a reason of this list. */
export type StageName = keyof typeof dropReasons;

type Reasons = typeof dropReasons;
/** The reasons of a stage; any text for a stage that is not in the list (of a test). */
export type DropReason<S extends string = string> = S extends StageName ? keyof Reasons[S] & string : string;

/** Items dropped, by reason; a reason that did not occur is absent. */
export const Dropped = z.record(z.string(), z.int().positive());
export type Dropped = z.infer<typeof Dropped>;

/** The sum over all reasons. */
export function totalDropped(dropped: Dropped): number {
  return Object.values(dropped).reduce((sum, n) => sum + n, 0);
}
