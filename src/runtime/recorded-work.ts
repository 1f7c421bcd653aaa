import { RunError } from '../contracts/errors.ts';
import type { Shard, Stage } from '../contracts/stage.ts';
import type { Storage } from '../contracts/storage.ts';
import { byNumber } from './by-number.ts';
import { stableJson } from './stable-json.ts';

/** Choices of plans that don't follow from markers (which file has which number): one immutable `_plan/NNNNN.json` a shard. */
const FOLDER = '_plan';

/** Recorded work by shard name, in order. */
export async function readRecordedWork(storage: Storage): Promise<Map<string, unknown>> {
  const names = (await storage.list(FOLDER)).flatMap(({ name }) => /^(\d+)\.json$/.exec(name)?.[1] ?? []).sort(byNumber);
  const recorded = new Map<string, unknown>();
  for (const name of names) {
    const text = await storage.readText(`${FOLDER}/${name}.json`);
    if (text !== undefined) recorded.set(name, JSON.parse(text));
  }
  return recorded;
}

/** Records the work of the stage's shards that have none yet, and adds it to `recorded`. */
export async function recordWork(storage: Storage, stage: Stage, shards: readonly Shard[], recorded: Map<string, unknown>): Promise<void> {
  for (const shard of shards) {
    const { name, work } = shard;
    if (recorded.has(name) || stage.isChosen?.(shard) === false) continue;
    if (!(await storage.createText(`${FOLDER}/${name}.json`, `${stableJson(work)}\n`)))
      throw new RunError(`${storage.location}/${FOLDER}/${name}.json was written by another process meanwhile. Start the same command again.`);
    recorded.set(name, work);
  }
}

/** Forgets all choices: a redo makes them anew. */
export async function forgetRecordedWork(storage: Storage): Promise<void> {
  await storage.remove(FOLDER);
}
