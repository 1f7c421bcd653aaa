import { availableParallelism } from 'node:os';
import { counted } from '../contracts/counted.ts';
import { InlineExecutor } from '../runtime/inline-executor.ts';
import { readDatasetState } from '../runtime/dataset-state.ts';
import { openRun, type OpenedRun } from '../runtime/open-run.ts';
import { openStorage } from '../storage/open-storage.ts';
import { announcements, planNotes } from './announcements.ts';
import { bytesText } from './bytes-text.ts';
import { assertWritableFolder } from './check-paths.ts';
import type { CommandIo } from './command.ts';
import { estimateStages, type StageEstimate } from './estimate-stage.ts';
import { pipelineRun, type Session } from './session.ts';
import { renderTable } from './table.ts';

/**
 * Prints what a run would do: shards that are finished, those to be made and why, and how many rows, bytes and hours that is, as far as
 * finished shards and the input tell. Throws what the run would refuse. Makes nothing; a stage whose input is not there yet is planned
 * when it is.
 */
export async function dryRun(session: Session, io: CommandIo): Promise<0> {
  await assertWritableFolder(session.location, '--run-dir');
  const run = pipelineRun(session, io);
  const nothing = (): void => undefined;
  const opened = await openRun(run, new InlineExecutor(run.stages), { changed: nothing, finished: nothing, failed: nothing, note: nothing, reached: nothing });
  const workers = session.run.workers ?? availableParallelism();
  const estimates = estimateStages(opened, await givenRows(opened, io), workers);
  const rows = opened.states.map((state, i) => {
    const { stage, plan, valid, pending, storage } = state;
    const why = [...Map.groupBy(pending, (each) => each.why)].map(([reason, each]) => `${each.length} ${reason}`).join(', ');
    const reads = opened.settings.inputs[stage.name] ?? stage.reads.flatMap(({ dataset }) => opened.settings.locations[dataset] ?? []).join(', ');
    const figures = figuresOf(estimates[i]!, stage.unit);
    return [
      stage.name,
      plan.complete ? String(plan.shards.length) : `${plan.shards.length} so far`,
      String(valid.size),
      why,
      ...figures,
      reads,
      storage.location,
    ];
  });
  const header = ['stage', 'shards', 'finished', 'to make', 'rows to read', 'to write', 'hours', 'reads', 'writes'];
  const table = renderTable(header, rows, [0, 3, 7, 8]);
  io.out(
    `${[table, `Hours are those of ${counted(workers, 'workers')}, at the pace of the shards that are finished. Nothing was made.`, ...planNotes(opened), ...announcements(session)].join('\n')}\n`,
  );
  return 0;
}

/** Rows of the datasets that no stage of the run writes, by their markers. */
async function givenRows({ states, settings }: OpenedRun, io: CommandIo): Promise<Map<string, number | undefined>> {
  const rows = new Map<string, number | undefined>();
  const written = new Set(states.map(({ stage }) => stage.writes));
  for (const input of states.flatMap(({ stage }) => stage.reads)) {
    const location = settings.locations[input.dataset];
    if (location === undefined || written.has(input.dataset) || rows.has(input.dataset)) continue;
    const { shards } = await readDatasetState(await openStorage(location, io.environment), input);
    rows.set(
      input.dataset,
      shards.reduce<number | undefined>(
        (sum, { out }) => (sum === undefined || out === undefined ? undefined : sum + out),
        shards.length === 0 ? undefined : 0,
      ),
    );
  }
  return rows;
}

function figuresOf({ rows, bytes, hours }: StageEstimate, unit: string): [string, string, string] {
  return [
    rows === undefined ? 'unknown' : counted(rows, unit),
    bytes === undefined ? 'unknown' : bytesText(bytes),
    hours === undefined ? 'unknown' : hoursText(hours),
  ];
}

function hoursText(hours: number): string {
  if (hours === 0) return '0';
  return hours < 0.01 ? '< 0.01' : hours.toFixed(2);
}
