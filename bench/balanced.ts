import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setNames } from '../src/contracts/records.ts';
import { shardName } from '../src/contracts/sample-key.ts';
import { type Database, connect } from '../src/db/client.ts';
import { copyLinks } from '../src/db/copy-links.ts';
import { drawBatch } from '../src/db/draw-batch.ts';
import { startEmbedded } from '../src/db/embedded.ts';
import { migrate } from '../src/db/migrate.ts';
import { makeLinks } from './ingest/make-links.ts';
import type { BenchResult } from './main.ts';

const SHARD = 25_000;
const BATCH = 10_000;
/** Links that wait: the first half of a shard above it, nothing more comes in; below it, nothing is drawn. */
const LEVEL = 300_000;

interface Moment {
  seconds: number;
  live: number;
  copied: number;
  drawn: number;
  /** Of the links that wait, with what vacuum has not yet given back. */
  tableBytes: number;
  /** Of those that are marked for a batch. */
  markedBytes: number;
}

/**
 * Links come into the embedded PostgreSQL and are drawn at the same time, so that about as many wait all along: does the table stay as large as
 * it is? A batch's rows go as soon as it is drawn, as they do when its file is written.
 * Usage: npm run bench -- balanced [LINKS, default 4e6] [PLOT.svg]
 */
export async function run([links = '4e6', plot]: string[]): Promise<BenchResult> {
  const shards = Math.ceil(Number(links) / SHARD);
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-bench-'));
  try {
    await makeLinks(join(folder, 'links'), shards * SHARD, shards);
    const server = await startEmbedded({ folder });
    const [incoming, outgoing, watching] = await Promise.all([
      connect(server.url, { max: 1 }),
      connect(server.url, { max: 1 }),
      connect(server.url, { max: 1 }),
    ]);
    try {
      await migrate(incoming);
      await incoming`INSERT INTO pairmill.staging DEFAULT VALUES`;
      const moments = await balance({ incoming, outgoing, watching }, join(folder, 'links'), shards);
      if (plot !== undefined) await writeFile(plot, svgOf(moments));
      return summaryOf(moments);
    } finally {
      for (const sql of [incoming, outgoing, watching]) await sql.end();
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function balance(
  { incoming, outgoing, watching }: Record<'incoming' | 'outgoing' | 'watching', Database>,
  folder: string,
  shards: number,
): Promise<Moment[]> {
  const state = { copied: 0, drawn: 0, ended: false };
  const live = (): number => state.copied - state.drawn;
  const ingress = async (): Promise<void> => {
    for (let shard = 0; shard < shards; shard++) {
      while (live() > LEVEL + SHARD / 2) await pause(5);
      const files = setNames.map((set) => ({ path: join(folder, set, `${shardName(shard)}.parquet`), name: set, language: '', trusted: true }));
      await copyLinks(incoming, { shard, chain: 'bench', files });
      state.copied += SHARD;
    }
    state.ended = true;
  };
  const egress = async (): Promise<void> => {
    for (let batch = 0; !state.ended; batch++) {
      while (live() < LEVEL && !state.ended) await pause(5);
      state.drawn += await drawBatch(outgoing, { batch, size: BATCH });
      await outgoing`DELETE FROM pairmill.batch_rows WHERE batch = ${batch}`;
    }
  };
  const moments: Moment[] = [];
  const watch = async (): Promise<void> => {
    for (const started = performance.now(); !state.ended; await pause(1000)) {
      const [size] = await watching<{ links: bigint; marked: bigint }[]>`
        SELECT pg_table_size('pairmill.links') AS links, pg_table_size('pairmill.batch_rows') AS marked`;
      moments.push({
        seconds: (performance.now() - started) / 1000,
        live: live(),
        copied: state.copied,
        drawn: state.drawn,
        tableBytes: Number(size!.links),
        markedBytes: Number(size!.marked),
      });
    }
  };
  await Promise.all([ingress(), egress(), watch()]);
  return moments;
}

function summaryOf(moments: readonly Moment[]): BenchResult {
  const balanced = moments.filter(({ drawn }) => drawn > 0);
  const third = Math.floor(balanced.length / 3);
  const parts = [balanced.slice(0, third), balanced.slice(third, 2 * third), balanced.slice(2 * third)];
  const most = (part: readonly Moment[], value: (moment: Moment) => number): number => Math.max(...part.map(value));
  const rows = parts.map((part, i) => {
    const [first, last] = [part[0]!, part.at(-1)!];
    const seconds = last.seconds - first.seconds;
    return {
      'third of the run': i + 1,
      seconds,
      'links/s in': (last.copied - first.copied) / seconds,
      'links/s out': (last.drawn - first.drawn) / seconds,
      'links that wait, most': most(part, ({ live }) => live),
      'table, MB at most': most(part, ({ tableBytes }) => tableBytes) / 1e6,
      'marked rows, MB at most': most(part, ({ markedBytes }) => markedBytes) / 1e6,
    };
  });
  return {
    title: `balanced: ${balanced.at(-1)!.drawn} links drawn while about ${LEVEL} waited`,
    rows,
    ratios: { growth: rows[2]!['table, MB at most'] / rows[1]!['table, MB at most'] },
  };
}

/** Size of the table and the links that wait, over time. */
function svgOf(moments: readonly Moment[]): string {
  const [width, height, left, bottom] = [900, 420, 70, 50];
  const end = moments.at(-1)!.seconds;
  const bytes = Math.max(...moments.map(({ tableBytes, markedBytes }) => Math.max(tableBytes, markedBytes))) * 1.1;
  const links = Math.max(...moments.map(({ live }) => live)) * 1.1;
  const x = (seconds: number): number => left + (seconds / end) * (width - 2 * left);
  const line = (value: (moment: Moment) => number, most: number, colour: string): string =>
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${moments
      .map((moment) => `${x(moment.seconds).toFixed(1)},${(height - bottom - (value(moment) / most) * (height - 2 * bottom)).toFixed(1)}`)
      .join(' ')}"/>`;
  const text = (at: [number, number], words: string, colour = '#333', anchor = 'middle'): string =>
    `<text x="${at[0]}" y="${at[1]}" fill="${colour}" text-anchor="${anchor}">${words}</text>`;
  const ticks = Array.from({ length: 6 }, (_, i) => i / 5).map((share) => {
    const y = height - bottom - share * (height - 2 * bottom);
    return [
      `<line x1="${left}" x2="${width - left}" y1="${y}" y2="${y}" stroke="#ddd"/>`,
      text([left - 8, y + 4], String(Math.round((share * bytes) / 1e6)), '#1f77b4', 'end'),
      text([width - left + 8, y + 4], `${Math.round((share * links) / 1000)} k`, '#888', 'start'),
      text([x(share * end), height - bottom + 20], String(Math.round(share * end))),
    ].join('');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
${ticks.join('\n')}
${line(({ live }) => live, links, '#bbb')}
${line(({ markedBytes }) => markedBytes, bytes, '#ff7f0e')}
${line(({ tableBytes }) => tableBytes, bytes, '#1f77b4')}
${text([width / 2, 24], 'Links come in and are drawn at the same time')}
${text([width / 2, height - 8], 'seconds')}
${text([left, 40], 'table, MB', '#1f77b4', 'start')}${text([left + 90, 40], 'rows marked for a batch, MB', '#ff7f0e', 'start')}
${text([width - left, 40], 'links that wait', '#888', 'end')}
</svg>
`;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
