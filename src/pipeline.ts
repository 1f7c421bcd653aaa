import type { Stage } from './contracts/stage.ts';
import { dedup } from './stages/dedup/dedup.ts';
import { download } from './stages/download/download.ts';
import { draw } from './stages/draw/draw.ts';
import { embed } from './stages/embed/embed.ts';
import { extract } from './stages/extract/extract.ts';
import { filter } from './stages/filter/filter.ts';
import { score } from './stages/filter/score.ts';
import { importPictures } from './stages/import/import.ts';
import { index } from './stages/index/index.ts';
import { list } from './stages/list/list.ts';
import { ingest } from './stages/ingest/ingest.ts';
import { release } from './stages/release/release.ts';
import { semdedup } from './stages/semdedup/semdedup.ts';
import { tag } from './stages/tag/tag.ts';

/**
 * The way of the data, from a crawl, a list of links or pictures to an index that `serve` answers from. Each stage reads datasets and writes
 * one; none imports another. Their order follows from what they read, so that a branch hangs on with a folder and a line. What is in
 * the datasets: docs/formats.md.
 */
export const pipeline: readonly Stage[] = [
  extract, //  WAT or WARC files             -> candidates/  image links with text, language, licence
  dedup, //    candidates/                   -> links/       each URL once, in the sets en, multi, nolang
  ingest, //   links/                        -> ingest/      the links table in PostgreSQL, shuffled; markers
  draw, //     the links table               -> batches/     links to download, drawn at random
  list, //     lists of links in any format  -> lists/       in one form, each in its own order
  download, // batches/ or lists/, the web             -> samples/     webdataset: picture, caption, metadata
  importPictures, // pictures of your own    -> samples/     a folder of them, or tars of other tools
  filter, //   samples/                      -> pairs/       webdataset: where picture and caption agree
  score, //    samples/                      -> scores/      what filter's models say of each: for --keep-top only
  embed, //    pairs/                        -> embeddings/  CLIP vectors of pictures and captions
  tag, //      embeddings/                   -> tags/        scores of heads on the vectors
  semdedup, // embeddings/                   -> semantic-duplicates/  marks of pictures that show the same: on request only
  release, //  pairs/, tags/                 -> release/     the dataset in LAION's columns, with statistics
  index, //    embeddings/, release/         -> index/       nearest-neighbour index of exactly the release
];

/** Stages that only one way in needs. */
const entries: readonly Stage[] = [extract, dedup, ingest, draw, list, download, importPictures];
const following = pipeline.filter((stage) => stage !== score && stage !== semdedup && !entries.includes(stage));

/** Where data enters, and the stages from there on. */
export const routes = {
  crawl: [extract, dedup, ingest, draw, download, ...following],
  list: [list, download, ...following],
  pictures: [importPictures, ...following],
  samples: following,
  pairs: following.filter((stage) => stage !== filter),
  embeddings: [index],
} satisfies Record<string, readonly Stage[]>;
export type RouteName = keyof typeof routes;

/**
 * The stages of a command with the first pass of those that need one, and the options of all: filter has to know all scores before it can
 * keep a share of them.
 */
export function withFirstPass(
  stages: readonly Stage[],
  options: Readonly<Record<string, Record<string, unknown>>>,
): { stages: readonly Stage[]; options: Readonly<Record<string, Record<string, unknown>>> } {
  const ofFilter = options[filter.name];
  if (ofFilter?.['keepTop'] === undefined || stages.includes(score)) return { stages, options };
  const shared = Object.fromEntries(Object.entries(ofFilter).filter(([key]) => key in score.options.shape));
  return { stages: stages.flatMap((stage) => (stage === filter ? [score, filter] : [stage])), options: { ...options, [score.name]: shared } };
}

/** The stages of a run with semdedup before release, where release is to drop what it marks. `options` are those of all stages. */
export function withSemanticDuplicates(stages: readonly Stage[], options: Readonly<Record<string, Record<string, unknown>>>): readonly Stage[] {
  const ofRelease = options[release.name];
  const wanted = ofRelease?.['dropSemanticDuplicates'] !== undefined && ofRelease['semanticDuplicates'] === undefined;
  return wanted ? stages.flatMap((stage) => (stage === release ? [semdedup, release] : [stage])) : stages;
}
