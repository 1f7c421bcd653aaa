import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import type { DatasetState } from '../../contracts/dataset.ts';
import { option } from '../../contracts/option.ts';
import { openDatabase } from '../../db/open-database.ts';
import { pipeline } from '../../pipeline.ts';
import { readDatasetState } from '../../runtime/dataset-state.ts';
import { faultPoint } from '../../runtime/fault-point.ts';
import { InlineExecutor } from '../../runtime/inline-executor.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { recordedRun } from '../../runtime/run-record.ts';
import { StageState } from '../../runtime/stage-state.ts';
import { locationOf } from '../../storage/location.ts';
import { openStorage } from '../../storage/open-storage.ts';
import type { Command } from '../command.ts';

const taskOptions = z.object({
  db: option(z.string().optional(), 'PostgreSQL for the stages that need it (ingest, draw)', { value: 'URL', decidesResult: false }),
});

/** One shard, from nothing but its arguments and the environment: the unit of work for Slurm, Kubernetes and the like. */
export const taskCommand: Command = {
  name: 'task',
  summary: 'Makes one shard of one stage of a run: the unit of work for a scheduler of your own.',
  details:
    'Makes one shard of one stage of a run, from nothing but its arguments and the environment. The run has been started before, so that its run.json says the options. A shard that is finished is left as it is. Takes no lock: whoever starts tasks sees to it that no two make one shard.',
  positionals: 'RUN STAGE SHARD',
  options: taskOptions,
  async run(args, io) {
    const [run, stageName, shard, ...others] = args.positionals;
    if (run === undefined || stageName === undefined || shard === undefined || others.length > 0)
      throw new UsageError('pairmill task takes a run, a stage and the number of a shard: pairmill task RUN filter 00003.');
    const stage = pipeline.find(({ name }) => name === stageName);
    if (!stage) throw new UsageError(`There is no stage ${stageName}. There are ${pipeline.map(({ name }) => name).join(', ')}.`);
    const { db } = readOptions(taskOptions, { flags: args.flags, environment: io.environment });
    const { settings, record } = await recordedRun(locationOf(run), io.environment);
    const storage = await openStorage(settings.locations[stage.writes]!, io.environment);
    const state = await StageState.open(stage, storage, settings, { redo: record.redo[stage.name] });
    const datasets: Record<string, DatasetState> = {};
    for (const input of stage.reads) {
      const location = settings.locations[input.dataset];
      if (location !== undefined) datasets[input.dataset] = await readDatasetState(await openStorage(location, io.environment), input);
    }
    await state.evaluate(datasets, io.environment);
    if (state.valid.has(shard)) {
      io.err(`${stageName} ${shard} is finished already.\n`);
      return 0;
    }
    const pending = state.pending.find((each) => each.shard.name === shard);
    const refused = state.refusals.find((each) => each.shard === shard);
    if (refused) throw new UsageError(`${stageName} ${shard} is not made again: ${refused.because}.`);
    if (!pending) throw new UsageError(`${stageName} ${shard} can't be made now: it is in no plan, or what it reads is not finished.`);
    let database: Awaited<ReturnType<typeof openDatabase>> | undefined;
    const executor = new InlineExecutor([stage], {
      signal: io.signal,
      environment: io.environment,
      reached: faultPoint(io.environment),
      database: async () => {
        if (db === undefined) throw new UsageError(`${stageName} needs the database of the run: give --db postgres://….`);
        return (database ??= await openDatabase(db, settings.location)).url;
      },
    });
    try {
      const { madeBy, lineages } = pending;
      const { marker } = await executor.submit(
        { stage: stageName, shard: pending.shard, settings, madeBy, lineages, redo: state.redo },
        { threads: 'cpu', progress: () => undefined },
      );
      io.err(`${stageName} ${shard}: ${marker!.in} ${stage.unit} in, ${marker!.out} out\n`);
      return 0;
    } finally {
      await executor.close();
      await database?.close();
    }
  },
};
