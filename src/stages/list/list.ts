import { UsageError } from '../../contracts/errors.ts';
import { BatchLink, withFurtherColumns } from '../../contracts/records.ts';
import type { Stage } from '../../contracts/stage.ts';
import { findListColumns } from '../../formats/list-columns.ts';
import { residentDetector } from '../../language/language-options.ts';
import { listSources } from '../../sources/list-sources.ts';
import { planSources } from '../../sources/plan-sources.ts';
import type { SourceKind } from '../../sources/source-file.ts';
import { currentPath, SourceWork } from '../../sources/source-work.ts';
import { S3Objects } from '../../storage/s3-objects.ts';
import { ListedLinks } from './listed-links.ts';
import { openList } from '../../sources/open-list.ts';
import { type ListOptions, listOptions } from './options.ts';

/** Lists of links in the formats that DuckDB reads. */
export const linkLists: SourceKind = {
  name: 'list of links',
  wanted: 'Parquet, csv, tsv, txt, json or jsonl files (paths, globs, folders, URLs; .gz and .zst too)',
  // Not markers.
  inFolder: /(?:^|\/)(?!.*_stats\.json$)[^/]+\.(?:parquet|csv|tsv|txt|json|jsonl|ndjson)(?:\.(?:gz|zst))?$/i,
  deep: true,
};

/** Rows of a row group: a batch of the usual size reads few of them in vain. */
const ROW_GROUP_ROWS = 10_000;

/**
 * Lists of links in any format, each brought into the form of a batch: one shard a file, rows in its order. Columns that are none of
 * ours come along.
 */
export const list: Stage<'list', typeof listOptions, SourceWork> = {
  name: 'list',
  does: 'Reads lists of links in any usual format, finds their columns and identifies the language of their texts.',
  reads: [],
  takes: 'lists of links: Parquet, csv, tsv, txt, json or jsonl',
  writes: 'lists',
  unit: 'links',
  format: 1,
  options: listOptions,
  work: SourceWork,
  records: true,

  async plan({ input, options, environment, recorded, runLocation }) {
    if (input === undefined) throw new UsageError(`list has no lists. Give ${linkLists.wanted} with --input.`);
    const files = await listSources(input, linkLists, new S3Objects(environment, options.signRequest));
    return { shards: planSources(files, recorded, runLocation), complete: true };
  },

  async run(shard, context, effects) {
    const { options, scratch } = context;
    const s3 = new S3Objects(context.environment, options.signRequest);
    const path = await currentPath(shard.work, context.runLocation, () => listSources(context.input ?? '', linkLists, s3));
    const opened = await openList(path, shard.work.path, { scratch, memoryMb: options.memory, signal: effects.signal, s3 });
    try {
      const names = opened.columns.map(({ name }) => name);
      const columns = findListColumns(names, { url: options.urlCol, text: options.captionCol });
      assertFound(shard.work.path, names, columns, options);
      const links = new ListedLinks(opened.columns, columns, shard.work.path, options, () => residentDetector(options, context.resources));
      const writer = await effects.files.parquet(`${shard.name}.parquet`, withFurtherColumns(BatchLink, links.further, 'last'), {
        rowGroupRows: ROW_GROUP_ROWS,
      });
      // Since they were last told.
      let [read, written] = [0, 0];
      let total = 0;
      const tell = (): void => {
        effects.progress({ in: read, out: written });
        [read, written] = [0, 0];
      };
      for await (const row of opened.rows([columns.url, columns.text, columns.language, columns.licence].filter((name) => name !== undefined))) {
        [read, total] = [read + 1, total + 1];
        const link = await links.link(row, effects.drop);
        if (link) {
          await writer.write(link);
          written++;
        }
        if (read < 1000) continue;
        effects.signal.throwIfAborted();
        tell();
      }
      const broken = await opened.broken();
      for (const { line, text, why } of broken) effects.drop('broken-row', { hash: null, url: '', text, value: `line ${line}: ${why}`, threshold: null });
      [read, total] = [read + broken.length, total + broken.length];
      tell();
      return {
        in: total,
        out: [writer],
        warnings: links.warnings(),
        extra: { format: opened.format, columns: { ...columns, further: links.renamed }, cut: links.cut },
      };
    } finally {
      await opened.close();
    }
  },
};

function assertFound(item: string, names: readonly string[], found: { url: string | undefined; text: string | undefined }, options: ListOptions): void {
  const missing = (wanted: string, option: string): UsageError =>
    new UsageError(`${item} has no column ${wanted}. Its columns are ${names.join(', ')}. Name the right one with ${option}.`);
  if (found.url === undefined) throw missing(options.urlCol ?? 'url', '--url-col');
  if (found.text === undefined && options.captionCol !== undefined) throw missing(options.captionCol, '--caption-col');
}
