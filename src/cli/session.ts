import { UsageError } from '../contracts/errors.ts';
import type { Stage } from '../contracts/stage.ts';
import { pipeline } from '../pipeline.ts';
import { nearest } from '../runtime/nearest.ts';
import type { RunOptions } from '../runtime/run-options.ts';
import type { PipelineRun } from '../runtime/open-run.ts';
import { joinLocation } from '../storage/location.ts';
import type { CommandIo } from './command.ts';
import { retryReasons } from './retry-reasons.ts';

/** What a command wants run. */
export interface Session {
  stages: readonly Stage[];
  /** Options by stage name. */
  options: Readonly<Record<string, Record<string, unknown>>>;
  /** The run's folder or s3:// prefix. */
  location: string;
  /** Datasets that lie elsewhere than in the run. */
  elsewhere?: Readonly<Record<string, string>>;
  /** Datasets that are left aside although they may be there: a stage reads another instead. */
  unread?: readonly string[];
  /** `--input` of stages that take files from outside. */
  inputs?: Readonly<Record<string, string>>;
  /** Where rejects lie, where that is not `rejects/` of the run. */
  rejects?: string | undefined;
  /** Write `summary.json`: for a run, not for a single stage. */
  summary: boolean;
  /** True where the command goes on by itself, so that no next command is named. */
  goesOn?: boolean;
  run: RunOptions;
}

/** A session as the runtime takes it. Throws UsageError where --redo, --keep or --retry-failed name what there is not. */
export function pipelineRun({ stages, options, location, elsewhere, unread, inputs, rejects, run }: Session, io: CommandIo): PipelineRun {
  const locations: Record<string, string> = {};
  for (const { writes, reads } of pipeline) for (const name of [writes, ...reads.map(({ dataset }) => dataset)]) locations[name] = joinLocation(location, name);
  const datasets = Object.keys(locations);
  Object.assign(locations, elsewhere);
  for (const name of unread ?? []) delete locations[name];
  for (const stage of stages)
    for (const [option, dataset] of Object.entries(stage.locates ?? {})) {
      const given = options[stage.name]?.[option];
      if (typeof given === 'string') locations[dataset] = given;
    }
  const names = stages.map(({ name }) => name);
  assertKnown('--redo', 'stage', run.redo, [...names, 'all']);
  assertKnown('--keep', 'dataset', run.keep ?? [], datasets);
  if (run.fused) assertFused(stages, options);
  return {
    stages,
    settings: { location, locations, inputs: inputs ?? {}, options, rejects: run.rejects, rejectsLocation: rejects, acceptChanged: run.acceptChanged },
    environment: io.environment,
    redo: run.redo.includes('all') ? names : run.redo,
    retry: retryReasons(run.retryFailed, stages),
    skipFailed: Number(run.skipFailed.replace('%', '')) / 100,
    keep: run.keep,
    fused: run.fused,
    signal: io.signal,
  };
}

/** Throws UsageError where these stages can't work hand in hand. */
function assertFused(stages: readonly Stage[], options: Session['options']): void {
  const packs = stages.find(({ handsOver }) => handsOver);
  const takes = packs && stages.find((stage) => stage.receive && stage.reads.some(({ dataset }) => dataset === packs.writes));
  if (!takes) throw new UsageError(`--fused filters what is downloaded, and this command has ${stages.map(({ name }) => name).join(', ')}. Leave it out.`);
  if (options[takes.name]?.['keepTop'] !== undefined)
    throw new UsageError(
      '--fused judges each picture when it comes, and --keep-top has to know all scores before. Give thresholds (pairmill probe finds some), or leave out --fused.',
    );
}

function assertKnown(flag: string, what: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, known);
  throw new UsageError(
    `${flag}: this command has no ${what} ${JSON.stringify(unknown)}.${near === undefined ? '' : ` Did you mean ${near}?`} It has ${known.join(', ')}.`,
  );
}
