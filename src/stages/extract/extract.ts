import { UsageError } from '../../contracts/errors.ts';
import { Candidate } from '../../contracts/records.ts';
import type { PlanContext, Stage } from '../../contracts/stage.ts';
import { DamageCount } from '../../formats/warc-record.ts';
import { S3Objects } from '../../storage/s3-objects.ts';
import { assertCrawlFiles } from './assert-crawl-files.ts';
import { commonCrawlFiles } from './common-crawl-files.ts';
import type { SourceFile, SourceKind } from '../../sources/source-file.ts';
import { sourceName } from '../../sources/source-name.ts';
import { currentPath, SourceWork } from '../../sources/source-work.ts';
import { linkKind } from './document-type.ts';
import { listSources } from '../../sources/list-sources.ts';
import { LinkRules } from './link-rules.ts';
import { chosenDetector, residentDetector } from '../../language/language-options.ts';
import { planSources } from '../../sources/plan-sources.ts';
import { openSource } from '../../sources/open-source.ts';
import { type ExtractOptions, extractOptions } from './options.ts';
import { type PageSettings, type ReadCounts, readPages } from './read-pages.ts';

/** WAT and WARC files; Common Crawl lists them in `wat.paths.gz`. */
export const crawlFiles: SourceKind = {
  name: 'crawl file',
  wanted: 'WAT or WARC files (paths, globs, folders, URLs)',
  inFolder: /\.(?:warc|wat)(?:\.gz)?$/,
  index: /\.(?:paths|txt)(?:\.gz)?$/,
};

/** Image links with alt text from the WAT or WARC files of a crawl: one shard a crawl file. */
export const extract: Stage<'extract', typeof extractOptions, SourceWork> = {
  name: 'extract',
  does: 'Reads image links with their alt texts from crawl files: absolute URLs, cleaned texts, language, licence, provenance.',
  reads: [],
  takes: 'crawl files',
  writes: 'candidates',
  unit: 'links',
  format: 5,
  options: extractOptions,
  work: SourceWork,
  records: true,
  async plan(context) {
    return { shards: planSources(await inputFiles(context), context.recorded, context.runLocation), complete: true };
  },
  async run(shard, context, effects) {
    const { options } = context;
    const s3 = new S3Objects(context.environment, options.signRequest);
    const path = await currentPath(shard.work, context.runLocation, () => listFiles(context.input, options, s3));
    const settings: PageSettings = { kind: linkKind(options.documentType), maxRecordBytes: options.maxRecordBytes, imageAttributes: options.imageAttributes };
    const counts: ReadCounts = { records: 0, damage: new DamageCount() };
    const source = new CountedSource(openSource(path, effects.signal, s3));
    const rules = new LinkRules(options, sourceName(path), await residentDetector(options, context.resources), effects.drop);
    const writer = await effects.files.parquet(`${shard.name}.parquet`, Candidate);
    for await (const pages of readPages(source, settings, counts)) {
      const [links, written] = [rules.links, writer.written];
      for (const page of pages) for (const candidate of rules.page(page)) await writer.write(candidate);
      effects.progress({ in: rules.links - links, out: writer.written - written });
    }
    const damaged = counts.damage.counts;
    const empty = source.bytes === 0 ? [`${shard.work.path} is empty: 0 bytes. Get it again if it should hold links.`] : [];
    return {
      in: rules.links,
      out: [writer],
      warnings: [...empty, ...damageWarnings(shard.work.path, damaged)],
      extra: { records: { read: counts.records, damaged }, cut: rules.cut, language: chosenDetector(options) },
    };
  },
};

/** The crawl files of each session (its options object is one and the same), so that the input is listed once and not at each plan. */
const listed = new WeakMap<ExtractOptions, { input: string | undefined; files: Promise<SourceFile[]> }>();

async function inputFiles({ input, options, environment }: PlanContext<ExtractOptions>): Promise<SourceFile[]> {
  const known = listed.get(options);
  if (known && known.input === input) return known.files;
  const files = listFiles(input, options, new S3Objects(environment, options.signRequest));
  listed.set(options, { input, files });
  files.catch(() => listed.delete(options));
  return files;
}

async function listFiles(input: string | undefined, options: ExtractOptions, s3: S3Objects): Promise<SourceFile[]> {
  if (options.crawl !== '') return commonCrawlFiles(options, s3);
  if (input === undefined)
    throw new UsageError('extract has no crawl files. Give WAT or WARC files (paths, globs, folders, URLs) with --input, or a crawl with --crawl.');
  const files = await listSources(input, crawlFiles, s3);
  await assertCrawlFiles(files);
  return files;
}

/** Counts the bytes that are read. */
class CountedSource implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  bytes = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#source) {
      this.bytes += chunk.length;
      yield chunk;
    }
  }
}

function damageWarnings(path: string, damaged: DamageCount['counts']): string[] {
  const reasons = Object.entries(damaged).sort(([a], [b]) => (a < b ? -1 : 1));
  if (reasons.length === 0) return [];
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  return [
    `${path}: ${total} damaged record${total === 1 ? '' : 's'} left out (${reasons.map(([reason, count]) => `${reason}: ${count}`).join(', ')}); the rest was read.`,
  ];
}
