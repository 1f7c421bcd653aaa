import { counted } from '../contracts/counted.ts';
import type { Dropped } from '../contracts/drop-reason.ts';
import { RunError } from '../contracts/errors.ts';
import type { ShardStats } from '../contracts/shard-stats.ts';
import type { Stage } from '../contracts/stage.ts';
import { summarise } from '../runtime/stage-summary.ts';
import type { StageState } from '../runtime/stage-state.ts';
import { dropAdvice } from './drop-advice.ts';
import { droppedWords } from './dropped-words.ts';

/** A shard of which a larger share was dropped by the network is worth a word. */
export const MAX_FAILED_SHARE = 0.5;

/** Says what a person should not overlook while a run goes on. */
export class StageWatch {
  readonly #stages: readonly Stage[];
  readonly #options: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly #note: (line: string) => void;
  /** Reasons for which it was said what helps. */
  readonly #advised = new Set<string>();
  /** Stages that have made a shard now. */
  readonly #atWork = new Set<string>();

  constructor(stages: readonly Stage[], options: Readonly<Record<string, Readonly<Record<string, unknown>>>>, note: (line: string) => void) {
    this.#stages = stages;
    this.#options = options;
    this.#note = note;
  }

  /** A shard was made: its warnings, and a word where most of its links failed. */
  finished(stats: ShardStats): void {
    this.#atWork.add(stats.stage);
    for (const warning of stats.warnings ?? []) this.#note(`warning: ${stats.stage} ${stats.shard}: ${warning}`);
    const stage = this.#stages.find(({ name }) => name === stats.stage);
    const failed = stats.in - stats.out;
    if (stage?.name !== 'download' || failed <= stats.in * MAX_FAILED_SHARE) return;
    const reason = mostFrequent(stats.dropped);
    const advice =
      reason === undefined || this.#advised.has(reason) ? '' : dropAdvice(stage, stats.dropped, { options: this.#options[stage.name] ?? {}, before: false });
    if (reason !== undefined && advice !== '') this.#advised.add(reason);
    this.#note(
      `warning: download ${stats.shard}: ${failed.toLocaleString('en')} of ${counted(stats.in, stage.unit)} failed: ${droppedWords('download', stats.dropped, false)}.${advice === '' ? '' : ` ${advice}`}`,
    );
  }

  /** A stage is whole. Throws RunError where it has no rows: the stages after it would make nothing of nothing. */
  sealed({ stage, valid }: StageState): void {
    const shards = [...valid.values()];
    if (shards.some(({ out }) => out > 0)) return;
    const { in: taken, dropped } = summarise(stage.name, shards);
    const skipped = shards.filter((shard) => shard.skipped).length;
    if (taken === 0) {
      const why = skipped > 0 ? `: ${skipped} of its ${counted(shards.length, 'shards')} failed and ${skipped === 1 ? 'was' : 'were'} skipped` : '';
      throw new RunError(
        `${stage.name} found no ${stage.unit} in what it reads${why}. The run ends here, because nothing is left for the stages after it. Check the input.`,
      );
    }
    const advice = this.#advised.has(mostFrequent(dropped) ?? '')
      ? 'What helps is said above.'
      : dropAdvice(stage, dropped, { options: this.#options[stage.name] ?? {}, before: !this.#atWork.has(stage.name) });
    throw new RunError(
      `${stage.name} kept none of ${counted(taken, stage.unit)}: ${droppedWords(stage.name, dropped)}. ` +
        `The run ends here, because nothing is left for the stages after it.${advice === '' ? ' The rejects name each of them.' : ` ${advice}`}`,
    );
  }
}

function mostFrequent(dropped: Dropped): string | undefined {
  return Object.entries(dropped).sort(([, a], [, b]) => b - a)[0]?.[0];
}
