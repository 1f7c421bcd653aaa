import type { MadeBy, ShardStats } from '../contracts/shard-stats.ts';
import { differences } from './marker.ts';

/** What is to be done with a planned shard. */
export type Verdict =
  | { do: 'keep' }
  /** Keep it, and write into its marker that it counts as made so. */
  | { do: 'accept' }
  | { do: 'make'; why: 'missing' | 'stale' | 'damaged' | 'redo'; because?: string }
  | { do: 'refuse'; why: 'format' | 'options' | 'inputs' | 'foreign'; because: string };

export interface VerdictSettings {
  /** Id of the open --redo of the stage. */
  redo: string | undefined;
  acceptChanged: boolean;
  /** The stage's inputs can't be had again. */
  irreplaceable: boolean;
  /** What is wrong with the shard's files. */
  damage: string | undefined;
  /** `formatChanges` of the stage. */
  formatChanges?: Readonly<Record<number, string>> | undefined;
}

/** Compares a shard's marker with how it would be made now. */
export function verdictOf(marker: ShardStats | { foreign: unknown } | undefined, now: MadeBy, settings: VerdictSettings): Verdict {
  if (marker === undefined) return { do: 'make', why: 'missing' };
  if (settings.redo !== undefined && !('redo' in marker && marker['redo'] === settings.redo)) return { do: 'make', why: 'redo' };
  if (!isOurs(marker)) return { do: 'refuse', why: 'foreign', because: 'its marker was written by another tool or an earlier version of pairmill' };
  const { options, inputs } = differences(marker.made_by, now, settings.formatChanges);
  const why = marker.made_by.format === now.format ? 'options' : 'format';
  if (options.length > 0) return settings.acceptChanged ? { do: 'accept' } : { do: 'refuse', why, because: options.join('; ') };
  if (settings.damage !== undefined)
    return 'removed' in marker && marker.removed !== undefined && settings.irreplaceable
      ? { do: 'refuse', why: 'inputs', because: settings.damage }
      : { do: 'make', why: 'damaged', because: settings.damage };
  if (inputs.length === 0) return { do: 'keep' };
  const because = inputs.length === 1 ? inputs[0]! : `${inputs.length} inputs changed`;
  if (settings.irreplaceable) return settings.acceptChanged ? { do: 'accept' } : { do: 'refuse', why: 'inputs', because };
  return { do: 'make', why: 'stale', because };
}

export function isOurs(marker: ShardStats | { foreign: unknown }): marker is ShardStats {
  return !('foreign' in marker);
}
