import { openRun, type PipelineRun } from '../runtime/run-pipeline.ts';
import { InlineExecutor } from '../runtime/inline-executor.ts';
import { renderTable } from './table.ts';

/**
 * What a run would do, as a table of its stages: shards planned so far, those that are finished, those to be made and why.
 * Does nothing; a stage whose input is not there yet is planned when it is.
 */
export async function dryRunTable(run: PipelineRun): Promise<string> {
  const nothing = (): void => undefined;
  const { states } = await openRun(run, new InlineExecutor(run.stages), {
    changed: nothing,
    finished: nothing,
    failed: nothing,
    note: nothing,
    reached: nothing,
  });
  const rows = states.map((state) => {
    const { stage, plan, valid, pending, storage } = state;
    const why = [...Map.groupBy(pending, (each) => each.why)].map(([reason, each]) => `${each.length} ${reason}`).join(', ');
    const reads = run.settings.inputs[stage.name] ?? stage.reads.map(({ dataset }) => run.settings.locations[dataset]).join(', ');
    return [stage.name, plan.complete ? String(plan.shards.length) : `${plan.shards.length} so far`, String(valid.size), why, reads, storage.location];
  });
  return renderTable(['stage', 'shards', 'finished', 'to make', 'reads', 'writes'], rows, [0, 3, 4, 5]);
}
