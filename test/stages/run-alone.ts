import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reject } from '../../src/contracts/records.ts';
import type { ShardStats } from '../../src/contracts/shard-stats.ts';
import type { Stage, StageFolders } from '../../src/contracts/stage.ts';
import { readParquet } from '../../src/formats/parquet.ts';
import { InlineExecutor } from '../../src/runtime/inline-executor.ts';
import { runStage, type StageOutcome } from '../../src/runtime/run-stage.ts';

export interface AloneRun extends StageOutcome {
  shards: ShardStats[];
}

export interface AloneSettings {
  options?: Record<string, unknown>;
  workers?: number;
  redo?: boolean;
  /** Called at each named point of the order of writes; may throw. */
  reached?: (point: string) => void;
}

/** Runs one stage in this thread on `base/IN` and `base/OUT`, all rejects kept. */
export async function runAlone(
  stage: Stage,
  base: string,
  input: string,
  output: string,
  { options = {}, workers = 1, redo = false, reached }: AloneSettings = {},
): Promise<AloneRun> {
  const shards: ShardStats[] = [];
  const folders: StageFolders = { input, output: join(base, output), rejects: join(base, 'rejects'), stages: {} };
  const executor = new InlineExecutor([stage], workers, reached);
  try {
    const outcome = await runStage(
      stage,
      { options: stage.options.parse(options), folders },
      executor,
      { redo, acceptChanged: false, rejects: 'all' },
      {
        progress: () => undefined,
        finished: (stats) => void shards.push(stats),
        failed: () => undefined,
        reached: () => undefined,
      },
    );
    return { ...outcome, shards: shards.sort((a, b) => (a.shard < b.shard ? -1 : 1)) };
  } finally {
    await executor.close();
  }
}

/** The rows of all Parquet files under a folder, files in order of their path. */
export async function allRows<Row>(folder: string): Promise<Row[]> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.parquet')).sort();
  const rows: Row[] = [];
  for (const file of files) for await (const row of readParquet<Row>(join(folder, file))) rows.push(row);
  return rows;
}

export async function rejectsOf(base: string, stage: string): Promise<Reject[]> {
  return allRows<Reject>(join(base, 'rejects', stage));
}

/** sha256 of every file under a folder but the markers, which hold times. */
export async function digests(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('_stats.json'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const all: Record<string, string> = {};
  for (const path of paths)
    all[path.slice(folder.length)] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  return all;
}
