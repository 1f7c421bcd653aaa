import { counted } from '../contracts/counted.ts';
import { UsageError } from '../contracts/errors.ts';
import type { StageState } from './stage-state.ts';

/** The words of a refusal: the subject, what happened, how much depends on it, and the next step. Nothing of the stage was changed. */
export function refusalError({ stage, storage, refusals, plan, leftovers }: StageState, dependent: number): UsageError {
  const { shard, why, because } = refusals[0]!;
  const one = refusals.length === 1;
  const total = plan.shards.length + leftovers.length;
  const subject = one ? `shard ${shard}` : `${refusals.length} of ${counted(total, 'shards')} (first: ${shard})`;
  const [was, it] = one ? ['was', 'it'] : ['were', 'them'];
  const happened = {
    format: `${was} made by another version of Pairmill`,
    options: `${was} made with other options`,
    inputs: `${was} made from other input`,
    foreign: `${was} not made by this version`,
    leftover: `${one ? 'is' : 'are'} not in the plan any more`,
  }[why];
  const depends = why === 'inputs' && stage.irreplaceable ? ` ${counted(dependent, 'finished shards')} of later stages may depend on ${it}.` : '';
  const redo = `--redo ${stage.name} to make ${it} again`;
  const next = {
    format: `${redo}, or --accept-changed to keep ${it}`,
    options: `the options as they were, ${redo}, or --accept-changed to keep ${it}`,
    inputs: `${redo}, or --accept-changed to keep ${it}`,
    foreign: `another output folder, or ${redo}`,
    leftover: `the input as it was, another --run-dir for this one, or --accept-changed to remove ${it}`,
  }[why];
  return new UsageError(
    `${stage.name}: ${subject} in ${storage.location} ${happened}: ${because}.${depends} Nothing of ${stage.name} was changed. Give ${next}.`,
  );
}
