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
import { isUrl, joinLocation } from '../../storage/location.ts';
import { dryRun } from '../dry-run.ts';
import { recordedPlaces } from '../recorded-places.ts';
import { runSession, withLockedRun } from '../run-session.ts';
import type { Session } from '../session.ts';
import { stageEnvironment } from '../stage-environment.ts';

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
      const run = readOptions(runOptions, sources);
      const options = readOptions(stage.options, { ...sources, environment: stageEnvironment(stage, [stage], io.environment) });
      const location = await writtenTo(stage, runDir, output);
      if (input === undefined && reads === undefined) throw new UsageError(`pairmill ${stage.name}: nothing says what to read. Give --input PATH: ${takes}.`);
      if (input !== undefined) await (takes === undefined ? assertReadableFolder(input, '--input') : assertReadablePaths(input, '--input'));
      const rejects = output === undefined ? undefined : joinLocation(locationOf(output), 'rejects');
      const given = before && input !== undefined ? await datasetAt(input, stage, io.environment) : undefined;
      if (before && input !== undefined && given === undefined) {
        const elsewhere =
          output === undefined ? {} : { [stage.writes]: locationOf(output), [before.writes]: joinLocation(locationOf(output), `_${before.writes}`) };
        const session: Session = {
          stages: [before, stage],
          options: {
            [before.name]: readOptions(before.options, { ...sources, environment: stageEnvironment(before, [before], io.environment) }),
            [stage.name]: options,
          },
          location,
          elsewhere,
          rejects,
          unread: stage.reads.map(({ dataset }) => dataset).filter((dataset) => dataset !== before.writes),
          inputs: { [before.name]: input },
          summary: false,
          run,
        };
        return run.dryRun ? dryRun(session, io) : withLockedRun(location, io, (held) => runSession(session, held));
      }
      const passes = withFirstPass([stage], { [stage.name]: options });
      const elsewhere = {
        ...(await recordedPlaces(stage, location, io.environment)),
        ...(output !== undefined && {
          ...Object.fromEntries(passes.stages.map(({ writes }) => [writes, joinLocation(locationOf(output), `_${writes}`)])),
          [stage.writes]: locationOf(output),
        }),
        ...(input !== undefined && stage.takes === undefined && { [given ?? reads!]: locationOf(input) }),
      };
      // A stage that reads files from outside only looks for them in the run where none are named.
      const files =
        stage.takes === undefined ? undefined : (input ?? (stage.reads.length === 0 && !options['crawl'] ? joinLocation(location, 'crawl') : undefined));
      const inputs = files === undefined ? {} : { [stage.name]: files };
      const unread = given === undefined ? [] : stage.reads.map(({ dataset }) => dataset).filter((dataset) => dataset !== given);
      const session = { ...passes, location, elsewhere, rejects, unread, inputs, summary: false, run };
      return run.dryRun ? dryRun(session, io) : withLockedRun(location, io, (held) => runSession(session, held));
    },
  };
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

/** An absolute path, or the URL as it is. */
export function locationOf(path: string): string {
  return isUrl(path) ? path.replace(/\/+$/, '') : resolve(path);
}

/** The peers' names of the input of the stage that does the same. */
const inputAliases: Readonly<Record<string, string[]>> = {
  download: ['url-list'],
  embed: ['input-dataset'],
  index: ['embeddings-folder'],
};
