import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { dropReasons } from '../../contracts/drop-reason.ts';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import type { Stage } from '../../contracts/stage.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { runOptions } from '../../runtime/run-options.ts';
import { pipeline, withFirstPass } from '../../pipeline.ts';
import { isOurs, readMarkers } from '../../runtime/marker.ts';
import { openStorage } from '../../storage/open-storage.ts';
import { assertReadableFolder, assertReadablePaths, assertWritableFolder } from '../check-paths.ts';
import type { Command, CommandIo } from '../command.ts';
import { joinLocation, locationOf } from '../../storage/location.ts';
import { recordedPlaces } from '../recorded-places.ts';
import type { Session } from '../session.ts';
import { stageEnvironment } from '../stage-environment.ts';
import { startSession } from '../start-session.ts';

/**
 * The command of one stage: `pairmill extract --input … --output …`, on the same folders as within a run. Where the stage can read what
 * another makes of files from outside (download of a list), the command takes such files and runs both.
 */
export function stageCommand(stage: Stage): Command {
  // Of the stages that take files from outside, the demo leaves such for one alone: extract.
  const reads = stage.reads[0]?.dataset ?? ('crawl' in stage.options.shape ? 'crawl' : undefined);
  const before = stageBefore(stage);
  const takes = before?.takes ?? stage.takes;
  const folders = z.object({
    runDir: option(
      z.string().optional(),
      `Run folder or s3:// prefix: ${reads === undefined ? `${stage.writes}/ is written there unless --output says otherwise` : `${reads}/ is read and ${stage.writes}/ written there unless --input and --output say otherwise`}. The run in pairmill-run, where there is one and neither this nor --output is given`,
      { value: 'DIR', path: 'one', often: true, decidesResult: false },
    ),
    input: option(z.string().optional(), reads === undefined ? takes! : `What to read instead of the run folder's ${reads}/${takes ? `: ${takes}` : ''}`, {
      value: 'PATH',
      path: takes ? 'many' : 'one',
      often: true,
      aliases: inputAliases[stage.name] ?? [],
      decidesResult: false,
    }),
    output: option(
      z.string().optional(),
      `Folder or s3:// prefix to write to instead of the run folder's ${stage.writes}/; what is dropped lies in its rejects/`,
      {
        value: 'DIR',
        path: 'one',
        often: true,
        aliases: ['output-folder'],
        decidesResult: false,
      },
    ),
  });
  return {
    name: stage.name,
    summary: stage.does,
    details: `${stage.does} ${reads === undefined ? `Writes ${stage.writes}/ of the run folder; docs/formats.md describes it.` : `Reads ${reads}/ and writes ${stage.writes}/ of the run folder; docs/formats.md describes both.`}`,
    options: z.object({ ...folders.shape, ...before?.options.shape, ...stage.options.shape, ...runOptionsOf(before ? [before, stage] : [stage]).shape }),
    async run(args, io) {
      const sources = { flags: args.flags, environment: io.environment };
      const { runDir, input, output } = readOptions(folders, sources);
      const optionsOf = (each: Stage): Record<string, unknown> =>
        readOptions(each.options, { ...sources, environment: stageEnvironment(each, [each], io.environment) });
      const run = readOptions(runOptions, sources);
      const own = optionsOf(stage);
      const location = await writtenTo(stage, runDir, output);
      if (input === undefined && reads === undefined) throw new UsageError(`pairmill ${stage.name}: nothing says what to read. Give --input PATH: ${takes}.`);
      if (input !== undefined) await (takes === undefined ? assertReadableFolder(input, '--input') : assertReadablePaths(input, '--input'));
      const places: Places = { location, input, output: output === undefined ? undefined : locationOf(output) };
      const given = before && input !== undefined ? await datasetAt(input, stage, io.environment) : undefined;
      const session =
        before && input !== undefined && given === undefined
          ? throughStageBefore(before, stage, { [before.name]: optionsOf(before), [stage.name]: own }, places)
          : alone(stage, own, given, places, await recordedPlaces(stage, location, io.environment));
      const rejects = places.output === undefined ? undefined : joinLocation(places.output, 'rejects');
      return startSession({ ...session, location, rejects, summary: false, run }, io);
    },
  };
}

/** Where the command reads and writes: `input` as it was typed, the others absolute. */
interface Places {
  location: string;
  input: string | undefined;
  output: string | undefined;
}

type StageSession = Pick<Session, 'stages' | 'options' | 'elsewhere' | 'unread' | 'inputs'>;

/** Files from outside, which the stage before brings into the form that the stage reads. */
function throughStageBefore(before: Stage, stage: Stage, options: Session['options'], { input, output }: Places): StageSession {
  const stages = [before, stage];
  const elsewhere = output === undefined ? {} : placesIn(output, stage, stages);
  return { stages, options, elsewhere, unread: readsBut(stage, before.writes), inputs: { [before.name]: input! } };
}

/**
 * The stage by itself, with the first pass of those that need one. `given` is the dataset that the input is, where that was found out;
 * `recorded` where the run says that datasets lie.
 */
function alone(
  stage: Stage,
  own: Record<string, unknown>,
  given: string | undefined,
  { location, input, output }: Places,
  recorded: Record<string, string>,
): StageSession {
  const { stages, options } = withFirstPass([stage], { [stage.name]: own });
  const elsewhere = { ...recorded, ...(output !== undefined && placesIn(output, stage, stages)) };
  if (input !== undefined && stage.takes === undefined) elsewhere[given ?? stage.reads[0]!.dataset] = locationOf(input);
  const unread = given === undefined ? [] : readsBut(stage, given);
  if (stage.takes === undefined) return { stages, options, elsewhere, unread, inputs: {} };
  // A stage that reads nothing but files from outside looks for them in the run where none are named.
  const files = input ?? (stage.reads.length === 0 && !own['crawl'] ? joinLocation(location, 'crawl') : undefined);
  return { stages, options, elsewhere, unread, inputs: files === undefined ? {} : { [stage.name]: files } };
}

/** The stage writes to --output itself; what leads to it lies in folders there. */
function placesIn(output: string, stage: Stage, stages: readonly Stage[]): Record<string, string> {
  return Object.fromEntries(stages.map(({ name, writes }) => [writes, name === stage.name ? output : joinLocation(output, `_${writes}`)]));
}

function readsBut({ reads }: Stage, one: string): string[] {
  return reads.map(({ dataset }) => dataset).filter((dataset) => dataset !== one);
}

/** The options of every run that mean something where only these stages run. */
function runOptionsOf(stages: readonly Stage[]): z.ZodObject {
  // Nothing that reads a dataset to its end runs beside what writes it.
  const { keep: _keep, fused: _fused, db, rejects, retryFailed, ...others } = runOptions.shape;
  return z.object({
    ...others,
    ...(stages.some(({ name }) => Object.keys((dropReasons as Record<string, object>)[name] ?? {}).length > 0) && { rejects }),
    ...(stages.some(({ database }) => database) && { db }),
    ...(stages.some(({ retries }) => retries) && { retryFailed }),
  });
}

/** The run that is written to. Throws UsageError where nobody said where to write: nothing appears in the working folder unasked. */
async function writtenTo(stage: Stage, runDir: string | undefined, output: string | undefined): Promise<string> {
  for (const [path, flag] of [
    [runDir, '--run-dir'],
    [output, '--output'],
  ] as const)
    if (path !== undefined) await assertWritableFolder(path, flag);
  const location = runDir ?? output;
  if (location !== undefined) return locationOf(location);
  if (!existsSync(join('pairmill-run', 'run.json')))
    throw new UsageError(
      `pairmill ${stage.name}: nothing says where to write. Give --output DIR for the files of this stage, or --run-dir DIR for a folder that all stages share.`,
    );
  return resolve('pairmill-run');
}

/** The stage that makes a dataset for this one out of files from outside, where it has the choice. */
function stageBefore(stage: Stage): Stage | undefined {
  return pipeline.find(({ takes, writes }) => takes !== undefined && stage.reads.some(({ dataset, optional }) => optional && dataset === writes));
}

/** Which of the datasets that the stage reads lies at a location, by the stage that its markers name; undefined where none does. */
async function datasetAt(location: string, stage: Stage, environment: CommandIo['environment']): Promise<string | undefined> {
  if (/^https?:/i.test(location)) return undefined;
  const storage = await openStorage(locationOf(location), environment).catch(() => undefined);
  const markers = storage ? await readMarkers(storage).catch(() => undefined) : undefined;
  for (const marker of markers?.values() ?? []) {
    const made = isOurs(marker) ? pipeline.find(({ name }) => name === marker.stage)?.writes : undefined;
    if (stage.reads.some(({ dataset }) => dataset === made)) return made;
  }
  return undefined;
}

/** The peers' names of the input of the stage that does the same. */
const inputAliases: Readonly<Record<string, string[]>> = {
  download: ['url-list'],
  embed: ['input-dataset'],
  index: ['embeddings-folder'],
};
