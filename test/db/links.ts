import type { StagedLink } from '../../src/db/staged-link.ts';

/** `count` links, numbered from `from`, each with a hash of its own spread over all of int64. */
export function makeLinks(count: number, from = 0): StagedLink[] {
  return Array.from({ length: count }, (_, index) => {
    const i = from + index;
    return {
      hash: BigInt.asIntN(64, BigInt(i + 1) * 0x9e3779b97f4a7c15n),
      record_offset: BigInt(i) * 1_000n,
      url: `https://host${i % 50}.test/${i}.jpg`,
      text: `picture ${i}`,
      language: 'en',
      set_name: 'en',
      licence: null,
      uid: `uid ${i}`,
      page_url: null,
      crawl_file: 'crawl.wat.gz',
      rest: null,
    };
  });
}
