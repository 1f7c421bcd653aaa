import { counted } from '../contracts/counted.ts';
import type { DatasetState, PublishedShard } from '../contracts/dataset.ts';
import { UsageError } from '../contracts/errors.ts';
import type { Stage } from '../contracts/stage.ts';
import { openStorage } from '../storage/open-storage.ts';
import { readDatasetState } from './dataset-state.ts';
import type { RunSettings } from './run-settings.ts';
import type { StageState } from './stage-state.ts';

/** Datasets that stages of a command read and that none of them writes, by name: nothing is added to them while it runs. */
export type GivenDatasets = ReadonlyMap<string, DatasetState>;

/** Throws UsageError where there is none of a dataset that a stage must have. */
export async function readGivenDatasets(
  stages: readonly Stage[],
  settings: RunSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<GivenDatasets> {
  const given = new Map<string, DatasetState>();
  for (const stage of stages) {
    if (settings.inputs[stage.name] !== undefined && stage.takes !== undefined) continue;
    for (const input of stage.reads) {
      const { dataset, optional } = input;
      const location = settings.locations[dataset];
      if (stages.some(({ writes }) => writes === dataset) || given.has(dataset) || location === undefined) continue;
      const state = await readDatasetState(await openStorage(location, environment), input);
      if (state.shards.length > 0) given.set(dataset, { ...state, sealed: true });
      else if (!optional)
        throw new UsageError(
          `${stage.name} reads ${dataset}, and ${location} holds no finished shard of it. ${await nextStep(location, dataset, environment)}`,
        );
    }
  }
  return given;
}

async function nextStep(location: string, dataset: string, environment: Readonly<Record<string, string | undefined>>): Promise<string> {
  const isRun = (await (await openStorage(`${location}/${dataset}`, environment)).list('')).length > 0;
  return isRun
    ? `It is the folder of a run: give --run-dir ${location} in place of --input, or --input ${location}/${dataset}.`
    : 'Run the stage before it, or name another folder with --input.';
}

/** Throws UsageError where a shard that is to be made reads files that --keep has removed or that are damaged: no stage of this command makes them again. */
export function assertReadable({ stage, pending }: StageState, given: GivenDatasets, { locations }: RunSettings): void {
  const wanted = new Set(pending.flatMap(({ shard }) => shard.inputs.map(({ name }) => name)));
  const next = 'Nothing was changed. Give the command that made the whole run, with the same --redo: it makes them again where that can be done.';
  for (const { dataset } of stage.reads) {
    const read = given.get(dataset)?.shards.filter(({ name }) => wanted.has(dataset) || wanted.has(`${dataset}/${name}`)) ?? [];
    const filesOf = (shards: readonly PublishedShard[]): string =>
      `${stage.name} reads ${dataset}, of which the files of ${counted(shards.length, 'shards')} in ${locations[dataset]}`;
    const removed = read.filter((shard) => shard.removed);
    if (removed.length > 0) throw new UsageError(`${filesOf(removed)} were removed (--keep). ${next}`);
    const damaged = read.filter((shard) => shard.damaged !== undefined);
    if (damaged.length > 0) throw new UsageError(`${filesOf(damaged)} are damaged: ${damaged[0]!.damaged}. ${next}`);
  }
}
