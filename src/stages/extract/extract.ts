import { join } from 'node:path';
import { Candidate } from '../../contracts/records.ts';
import type { Stage } from '../../contracts/stage.ts';
import { countParquetRows, ParquetFileWriter } from '../../formats/parquet.ts';
import { DamageCount } from '../../formats/warc-record.ts';
import { S3Client } from '../../net/s3-client.ts';
import { publish } from '../../runtime/publication.ts';
import { commonCrawlFiles } from './common-crawl-files.ts';
import { crawlFileName, withoutSecrets } from './crawl-location.ts';
import { linkKind } from './document-type.ts';
import { crawlFiles } from './input-files.ts';
import type { LanguageDetector } from './language-detector.ts';
import { LinkRules } from './link-rules.ts';
import { languageDetectors, loadLanguageDetector } from './load-language-detector.ts';
import { openSource } from './open-source.ts';
import { type ExtractOptions, extractOptions } from './options.ts';
import { type PageSettings, type ReadCounts, readPages } from './read-pages.ts';

/** Loaded once a worker thread. */
let detector: Promise<LanguageDetector> | undefined;

/** Image links with alt text from the WAT or WARC files of a crawl: one shard a crawl file. */
export const extract: Stage<'extract', typeof extractOptions> = {
  name: 'extract',
  does: 'Reads image links with their alt texts from crawl files: absolute URLs, cleaned texts, language, licence, provenance.',
  reads: 'crawl',
  writes: 'candidates',
  unit: 'links',
  format: 3,
  options: extractOptions,
  async plan({ folders, options }) {
    const s3 = new S3Client(folders.aws, options.signRequest);
    const files = options.crawl === '' ? await crawlFiles(folders.input, s3) : await commonCrawlFiles(options, s3);
    const digits = Math.max(5, String(files.length - 1).length);
    return files.map((file, index) => ({ name: String(index).padStart(digits, '0'), inputs: [file] }));
  },
  async run(shard, { options, folders }, effects) {
    const { path } = shard.inputs[0]!;
    const s3 = new S3Client(folders.aws, options.signRequest);
    const output = join(folders.output, `${shard.name}.parquet`);
    const settings: PageSettings = { kind: linkKind(options.documentType), maxRecordBytes: options.maxRecordBytes, imageAttributes: options.imageAttributes };
    const counts: ReadCounts = { records: 0, damage: new DamageCount() };
    const rules = new LinkRules(options, crawlFileName(path), await detectorOf(options), effects.drop);
    const out = await publish(effects, async (publication) => {
      const temporary = await publication.file(output);
      const writer = await ParquetFileWriter.open(temporary, Candidate);
      try {
        for await (const pages of readPages(openSource(path, effects.signal, s3), settings, counts)) {
          const [links, rows] = [rules.links, writer.rows];
          for (const page of pages) for (const candidate of rules.page(page)) await writer.write(candidate);
          effects.progress({ in: rules.links - links, out: writer.rows - rows });
        }
      } catch (error) {
        await writer.abort();
        throw error;
      }
      await writer.close();
      return countParquetRows(temporary);
    });
    const damaged = counts.damage.counts;
    return {
      in: rules.links,
      out,
      warnings: damageWarnings(withoutSecrets(path), damaged),
      extra: { records: { read: counts.records, damaged }, cut: rules.cut, language: languageOf(options) },
    };
  },
  async close() {
    (await detector)?.close();
    detector = undefined;
  },
};

async function detectorOf({ languageDetector, languageThreshold }: ExtractOptions): Promise<LanguageDetector | undefined> {
  return languageDetector === 'none' ? undefined : (detector ??= loadLanguageDetector(languageDetector, languageThreshold));
}

/** For the marker: which threshold it was that decided, where none was given. */
function languageOf({ languageDetector: detector, languageThreshold }: ExtractOptions): { detector: string; threshold?: number } {
  return detector === 'none' ? { detector } : { detector, threshold: languageThreshold ?? languageDetectors[detector].threshold };
}

function damageWarnings(path: string, damaged: DamageCount['counts']): string[] {
  const reasons = Object.entries(damaged).sort(([a], [b]) => (a < b ? -1 : 1));
  if (reasons.length === 0) return [];
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  return [
    `${path}: ${total} damaged record${total === 1 ? '' : 's'} left out (${reasons.map(([reason, count]) => `${reason}: ${count}`).join(', ')}); the rest was read.`,
  ];
}
