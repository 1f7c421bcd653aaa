import { createHash } from 'node:crypto';
import type { StagedLink } from '../../db/staged-link.ts';

/** A link to download: what every input, database or file, comes down to. */
export interface LinkRow {
  url: string;
  /** Empty where there is none. */
  text: string;
  language: string;
  licence: string | null;
  hash: bigint;
  uid: string;
  page_url: string;
  crawl_file: string;
  /** -1 where it is not known. */
  record_offset: bigint;
  /** sha256 that the bytes must have, hex; absent where nothing is verified. */
  expectedSha256?: string | undefined;
}

/** Columns that a link may lack. */
export type PartialLink = Pick<LinkRow, 'url' | 'text' | 'hash'> & {
  [K in 'language' | 'licence' | 'uid' | 'page_url' | 'crawl_file' | 'record_offset']?: LinkRow[K] | null;
};

export function completeLink({ url, text, hash, language, licence, uid, page_url, crawl_file, record_offset }: PartialLink): LinkRow {
  return {
    url,
    text,
    language: language ?? '',
    licence: licence ?? null,
    hash,
    // cc2dataset's identity: md5 of text and URL.
    uid: uid ?? createHash('md5').update(text).update(url).digest('hex'),
    page_url: page_url ?? '',
    crawl_file: crawl_file ?? '',
    record_offset: record_offset ?? -1n,
  };
}

export function linkOfStaged(link: StagedLink): LinkRow {
  return completeLink({ ...link, text: link.text ?? '' });
}
