import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import type { ShardStats, StageSummary } from '../../contracts/shard-stats.ts';
import type { Storage } from '../../contracts/storage.ts';
import { openWorkDatabase, sqlParquet, sqlText } from '../../formats/duckdb.ts';
import { pipeline } from '../../pipeline.ts';
import { isOurs, readMarkers } from '../../runtime/marker.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { recordedRun } from '../../runtime/run-record.ts';
import { summarise } from '../../runtime/stage-summary.ts';
import { sampleStatus } from '../../stages/download/sample-status.ts';
import { locationOf } from '../../storage/location.ts';
import { openStorage } from '../../storage/open-storage.ts';
import type { Command } from '../command.ts';
import { renderSummary, renderTable } from '../table.ts';

const statusOptions = z.object({
  hosts: option(z.int().min(0).default(20), 'Hosts that are listed, those with most links first', { decidesResult: false }),
  memory: option(z.int().min(100).default(1024), 'Memory for counting', { unit: 'MB', decidesResult: false }),
  json: option(z.boolean().default(false), 'Print the counts as JSON on stdout', { decidesResult: false }),
});

interface Outcome {
  status: string;
  message: string;
  links: number;
}

interface Host {
  host: string;
  links: number;
  successes: number;
  /** The most frequent failure. */
  failure: string | null;
}

/** Counts what a run has made so far: of each stage by its markers, of the downloaded links by outcome and by host. Changes nothing. */
export const statusCommand: Command = {
  name: 'status',
  summary: 'Says what a run has made so far, what became of its links, and how each host answered.',
  details:
    'Says what a run has made so far: of each stage what went in, came out and was dropped; of the links that were downloaded how many ended with each status and message, and how the hosts with most links answered. A link that was tried again counts once, as it ended the last time. Reads the markers and samples/NNNNN.parquet, also while the run goes on. Changes nothing.',
  positionals: 'RUN',
  options: statusOptions,
  async run(args, io) {
    const [run, ...others] = args.positionals;
    if (run === undefined || others.length > 0) throw new UsageError('pairmill status takes one run: pairmill status RUN, a folder or an s3:// prefix.');
    const options = readOptions(statusOptions, { flags: args.flags, environment: io.environment });
    const { settings } = await recordedRun(locationOf(run), io.environment);
    const stages: StageSummary[] = [];
    let links: { outcomes: Outcome[]; hosts: Host[] } = { outcomes: [], hosts: [] };
    for (const stage of pipeline) {
      const location = settings.locations[stage.writes];
      if (location === undefined) continue;
      const storage = await openStorage(location, io.environment);
      const markers = [...(await readMarkers(storage)).values()].filter(isOurs).filter((marker) => marker.stage === stage.name);
      if (markers.length === 0) continue;
      stages.push(mostDroppedFirst(summarise(stage.name, markers)));
      if (stage.name === 'download') links = await linksOf(storage, markers, options);
    }
    if (options.json) io.out(`${JSON.stringify({ stages, ...links })}\n`);
    else io.out(`${[renderSummary(stages), ...tablesOf(links)].join('\n\n')}\n`);
    return 0;
  },
};

function mostDroppedFirst(summary: StageSummary): StageSummary {
  return { ...summary, dropped: Object.fromEntries(Object.entries(summary.dropped).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))) };
}

/** By outcome and by host, out of the Parquet files of the finished shards. */
async function linksOf(
  storage: Storage,
  markers: readonly ShardStats[],
  { hosts: limit, memory }: z.output<typeof statusOptions>,
): Promise<{ outcomes: Outcome[]; hosts: Host[] }> {
  const names = markers
    .flatMap(({ files, removed, kept }) => files.map(({ name }) => name).filter((name) => removed === undefined || kept?.includes(name)))
    .filter((name) => /^\d+\.parquet$/.test(name));
  if (names.length === 0) return { outcomes: [], hosts: [] };
  const scratch = await mkdtemp(join(tmpdir(), 'pairmill-status-'));
  const database = await openWorkDatabase(join(scratch, 'duckdb'), { memoryMb: memory, threads: 2 });
  try {
    const paths: string[] = [];
    for (const name of names) paths.push(await storage.fetch(name, join(scratch, name), new AbortController().signal));
    await database.run(
      `CREATE VIEW tries AS SELECT url, hash, status, error_message, regexp_extract(filename, '(\\d+)\\.parquet$', 1) AS shard FROM ${sqlParquet(paths, { names: true })}`,
    );
    await database.run('CREATE TABLE retries (source VARCHAR, shard VARCHAR)');
    for (const { shard, retried } of markers) {
      for (const source of Object.keys(retried ?? {})) await database.run(`INSERT INTO retries VALUES (${sqlText(source)}, ${sqlText(shard)})`);
    }
    // A duplicate has the hash of the link that was tried.
    await database.run(`
      CREATE VIEW links AS SELECT * FROM tries WHERE status = 'success' OR error_message = ${sqlText(sampleStatus('duplicate', '').error_message)} OR (shard, hash) NOT IN
        (SELECT (retries.source, tries.hash) FROM tries JOIN retries USING (shard))`);
    const outcomes = await database.all<{ status: string; message: string; links: bigint }>(
      "SELECT status, coalesce(error_message, '') AS message, count(*) AS links FROM links GROUP BY ALL ORDER BY links DESC, message",
    );
    const hosts = await database.all<{ host: string; links: bigint; successes: bigint; failure: string | null }>(String.raw`
      SELECT lower(regexp_extract(url, '^[a-zA-Z]+://(?:[^/?#@]*@)?([^/:?#]+)', 1)) AS host, count(*) AS links,
        count(*) FILTER (status = 'success') AS successes, mode(error_message) AS failure
      FROM links GROUP BY host ORDER BY links DESC, host LIMIT ${limit}`);
    return {
      outcomes: outcomes.map((row) => ({ ...row, links: Number(row.links) })),
      hosts: hosts.map((row) => ({ ...row, links: Number(row.links), successes: Number(row.successes) })),
    };
  } finally {
    await database.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

function tablesOf({ outcomes, hosts }: { outcomes: readonly Outcome[]; hosts: readonly Host[] }): string[] {
  if (outcomes.length === 0) return [];
  const all = outcomes.reduce((sum, { links }) => sum + links, 0);
  const share = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;
  return [
    renderTable(
      ['links', 'number', 'share', 'message'],
      outcomes.map(({ status, message, links }) => [status, links.toLocaleString('en'), share(links, all), message]),
      [0, 3],
    ),
    renderTable(
      ['host', 'links', 'successes', 'share', 'most frequent failure'],
      hosts.map(({ host, links, successes, failure }) => [
        host || '(none)',
        links.toLocaleString('en'),
        successes.toLocaleString('en'),
        share(successes, links),
        failure ?? '',
      ]),
      [0, 4],
    ),
  ];
}
