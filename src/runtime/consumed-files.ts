import type { ShardStats } from '../contracts/shard-stats.ts';
import { writeMarker } from './marker.ts';
import type { StageState } from './stage-state.ts';
import { readersOf, type StageWork } from './stage-work.ts';

/** Files that --keep does not keep: removed when everything that reads them is finished, and made again when they are needed. */

/** Asks for the shards that `reader` is about to read and whose files were removed: they are planned anew. */
export function askForRemoved(all: readonly StageWork[], reader: StageState): void {
  const names = new Set(reader.pending.flatMap(({ shard }) => shard.inputs.map(({ name }) => name)));
  for (const work of all) {
    const { writes } = work.state.stage;
    if (!reader.stage.reads.some(({ dataset }) => dataset === writes)) continue;
    const needed = (name: string): boolean => names.has(writes) || names.has(`${writes}/${name}`);
    for (const { shard, removed } of work.state.valid.values()) if (removed !== undefined && needed(shard) && work.state.need(shard)) work.dirty = true;
  }
}

/** Removes the files of datasets that nothing needs any more. The markers stay, and say so. */
export async function removeConsumed(all: readonly StageWork[], keep: readonly string[]): Promise<void> {
  for (const { state } of all) {
    const readers = readersOf(all, state);
    if (keep.includes(state.stage.writes) || readers.length === 0 || !state.sealed || readers.some((reader) => !reader.state.sealed)) continue;
    for (const marker of state.valid.values()) {
      const { kept, ...rest } = marker;
      if ((marker.removed !== undefined && !kept) || marker.files.length === 0) continue;
      const removed: ShardStats = { ...(rest as ShardStats), removed: Math.floor(Date.now() / 1000) };
      await writeMarker(state.storage, removed);
      // What lies in `_…/` is what later shards of the same stage stand on (dedup's journals).
      for (const { name } of marker.files) if (!name.startsWith('_')) await state.storage.remove(name);
      state.valid.set(marker.shard, removed);
      state.setMarker(marker.shard, removed);
    }
  }
}
