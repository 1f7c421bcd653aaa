import type { Stage } from './contracts/stage.ts';
import { dedup } from './stages/dedup/dedup.ts';
import { download } from './stages/download/download.ts';
import { embed } from './stages/embed/embed.ts';
import { extract } from './stages/extract/extract.ts';
import { filter } from './stages/filter/filter.ts';
import { index } from './stages/index/index.ts';
import { ingest } from './stages/ingest/ingest.ts';
import { release } from './stages/release/release.ts';
import { tag } from './stages/tag/tag.ts';

/**
 * The way of the data, from a crawl to an index that `serve` answers from. Each stage reads folders on disk (or the
 * links table) and writes a folder of shards; none imports another. What is in the folders: docs/formats.md.
 */
export const pipeline: readonly Stage[] = [
  extract, //  WAT or WARC files             -> candidates/  image links with text, language, licence
  dedup, //    candidates/                   -> links/       each URL once, in the sets en, multi, nolang
  ingest, //   links/                        -> PostgreSQL   the links table, shuffled
  download, // PostgreSQL, the web           -> samples/     webdataset: picture, caption, metadata
  filter, //   samples/                      -> pairs/       webdataset: where picture and caption agree
  embed, //    pairs/                        -> embeddings/  CLIP vectors of pictures and captions
  tag, //      embeddings/                   -> tags/        scores of heads on the vectors
  release, //  pairs/, tags/                 -> release/     the dataset in LAION's columns, with statistics
  index, //    embeddings/, release/, tags/  -> index/       nearest-neighbour index of exactly the release
];
