import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setNames } from '../src/contracts/records.ts';
import { shardName } from '../src/contracts/sample-key.ts';
import { connect } from '../src/db/client.ts';
import { copyLinks } from '../src/db/copy-links.ts';
import { drawBatch } from '../src/db/draw-batch.ts';
import { startEmbedded } from '../src/db/embedded.ts';
import { migrate } from '../src/db/migrate.ts';
import { makeLinks } from './ingest/make-links.ts';
import type { BenchResult } from './main.ts';

const TICKS_A_SECOND = 100;
const BATCH = 10_000;

/**
 * Copies links of usual length into the embedded PostgreSQL, all their columns, and draws batches. Processor time is that of
 * this process and of all of the server's. Usage: npm run bench -- ingest [LINKS, default 3e6] [SHARDS, default 20].
 * Given a folder as the third argument, the links are made (or found) there and stay.
 */
export async function run([links = '3e6', shards = '20', kept]: string[]): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-bench-'));
  try {
    const from = kept ?? join(folder, 'links');
    await makeLinks(from, Number(links), Number(shards));
    const server = await startEmbedded({ folder });
    const sql = await connect(server.url, { max: 1 });
    try {
      await migrate(sql);
      await sql`INSERT INTO pairmill.staging DEFAULT VALUES`;
      const copied = await measured(server.pid, async () => {
        for (let shard = 0; shard < Number(shards); shard++) {
          const files = setNames.map((set) => ({ path: join(from, set, `${shardName(shard)}.parquet`), name: set, language: '', trusted: true }));
          await copyLinks(sql, { shard, chain: 'bench', files });
        }
      });
      const [size] = await sql<{ links: bigint; hashes: bigint; rows: bigint }[]>`
        SELECT pg_table_size('pairmill.links') AS links, pg_total_relation_size('pairmill.hashes') AS hashes, live AS rows FROM pairmill.staging`;
      const rows = Number(size!.rows);
      let batches = 0;
      const drawn = await measured(server.pid, async () => {
        for (; batches < 20 && (await drawBatch(sql, { batch: batches, size: BATCH })) > 0; batches++);
      });
      return {
        title: `ingest: ${rows} links in ${shards} shards into the embedded PostgreSQL`,
        rows: [
          {
            links: rows,
            seconds: copied.seconds,
            'CPU s here': copied.client,
            'CPU s of the server': copied.server,
            'links/s': rows / copied.seconds,
            'links per CPU second': rows / (copied.client + copied.server),
            'bytes a waiting link': Number(size!.links) / rows,
            'bytes a hash': Number(size!.hashes) / rows,
            'bytes of the database': bytesBelow(join(folder, 'postgres')) / rows,
          },
        ],
        more: [
          {
            title: `draw: ${batches} batches of ${BATCH}`,
            rows: [{ 'batches/s': batches / drawn.seconds, 'CPU ms a batch': ((drawn.client + drawn.server) / batches) * 1000 }],
          },
        ],
        ratios: { rowsPerCpuSecond: rows / (copied.client + copied.server) },
      };
    } finally {
      await sql.end();
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measured(server: number, task: () => Promise<void>): Promise<{ seconds: number; client: number; server: number }> {
  const [started, here, there] = [performance.now(), process.cpuUsage(), await serverSeconds(server)];
  await task();
  const { user, system } = process.cpuUsage(here);
  return { seconds: (performance.now() - started) / 1000, client: (user + system) / 1e6, server: (await serverSeconds(server)) - there };
}

/** Processor time of a process and all that it has started, those that have ended included. */
async function serverSeconds(root: number): Promise<number> {
  const processes = new Map<number, { parent: number; ticks: number }>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields) processes.set(Number(pid), { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((sum, each) => sum + Number(each), 0) });
  }
  const below = (pid: number): boolean => pid === root || (processes.has(pid) && below(processes.get(pid)!.parent));
  return [...processes].filter(([pid]) => below(pid)).reduce((sum, [, { ticks }]) => sum + ticks, 0) / TICKS_A_SECOND;
}

function bytesBelow(folder: string): number {
  return Number(execFileSync('du', ['-sb', folder]).toString().split('\t')[0]);
}
