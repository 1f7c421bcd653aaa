import { counted } from '../contracts/counted.ts';
import type { PendingShard } from './stage-state.ts';

/** That a redo makes again what is there is no news, unless it does so with other options. */
export function isNews({ why, because }: PendingShard): boolean {
  return why !== 'missing' && (why !== 'redo' || because !== undefined);
}

/** A line for each reason for which shards are made again, and not one for each shard. */
export function madeAgain(stage: string, pending: readonly PendingShard[]): string[] {
  return [...Map.groupBy(pending, ({ why }) => why)].map(([why, shards]) => {
    const [{ shard, because }] = shards as [PendingShard, ...PendingShard[]];
    if (shards.length === 1) return `${stage} ${shard.name} is made again (${why}${because === undefined ? '' : `: ${because}`})`;
    return `${counted(shards.length, 'shards')} of ${stage} are made again (${why}${because === undefined ? '' : `; the first, ${shard.name}: ${because}`})`;
  });
}
