import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { signRequest } from '../../sources/sign-request.ts';
import { languageOptions } from '../../language/language-options.ts';

export const extractOptions = z.object({
  crawl: option(z.string().default(''), "Read this crawl of Common Crawl's (CC-MAIN-2022-40) instead of --input: the files that its wat.paths.gz lists", {
    value: 'NAME',
    often: true,
    decidesResult: false,
  }),
  crawlBaseUrl: option(z.string().default('https://data.commoncrawl.org/'), 'Where the crawl lies', { value: 'URL', decidesResult: false }),
  files: option(z.string().default(''), 'Which files of --crawl, by their place in the list from 0: 0-99,200; all if not given', {
    value: 'RANGES',
    often: true,
    decidesResult: false,
  }),
  sample: option(z.int().min(0).default(0), 'Draw this many files of --crawl (of --files, where given) at random without replacement; 0 takes all', {
    often: true,
    decidesResult: false,
  }),
  seed: option(z.int().default(1), 'Seed of the choice that --sample makes', { decidesResult: false, often: true }),
  signRequest,
  documentType: option(
    z.enum(['image', 'image_only', 'audio', 'video', 'text']).default('image'),
    'Which links: images with alt text, all images, or links to audio, video or text documents by their extension',
    { often: true, note: "cc2dataset's" },
  ),
  minTextLength: option(z.int().min(0).default(5), 'Links with shorter texts, after cleaning, are dropped (only with --document-type image)', {
    unit: 'characters',
    often: true,
  }),
  maxTextLength: option(z.int().min(1).default(2000), 'Longer texts are cut', { unit: 'characters', shared: true }),
  maxUrlLength: option(z.int().min(1).default(2000), 'Longer URLs are dropped; a longer URL of the page is cut, a longer licence left out', {
    shared: true,
    unit: 'characters',
  }),
  maxHostLength: option(z.int().min(1).default(60), 'Links to longer host names are dropped', { unit: 'characters' }),
  excludedExtensions: option(z.array(z.string()).default(['svg', 'gif']), 'Image URLs whose path ends in one of these are dropped', { value: 'EXT,…' }),
  imageAttributes: option(
    z.array(z.string()).min(1).default(['src']),
    'In the HTML of a WARC: attributes of an image that hold its URL, the first that is there counts (src, data-src, srcset, …)',
    { value: 'NAME,…' },
  ),
  respectPageRobots: option(
    z.boolean().default(true),
    'Drop the links of pages whose meta robots tag or X-Robots-Tag header says noai, noimageai, noindex or noimageindex',
  ),
  tdmReservation: option(z.boolean().default(true), 'Obey the tdm-reservation of pages (TDMRep), in a header or a meta tag: their links are dropped', {
    shared: true,
  }),
  ...languageOptions,
  dedupKey: option(z.enum(['url', 'url+language', 'url+text']).default('url'), 'What counts as the same link within a crawl file; give dedup the same', {
    shared: true,
  }),
  maxRecordBytes: option(
    z
      .int()
      .min(65_536)
      .default(32 * 1_048_576),
    'Larger records are skipped and counted as damaged',
    { unit: 'bytes' },
  ),
});
export type ExtractOptions = z.output<typeof extractOptions>;
