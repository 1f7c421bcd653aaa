import { resolve } from 'node:path';
import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import type { Stage } from '../../contracts/stage.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { runOptions } from '../../runtime/run-options.ts';
import { pipeline } from '../../pipeline.ts';
import { readMarkers } from '../../runtime/marker.ts';
import { isOurs } from '../../runtime/shard-verdict.ts';
import { openStorage } from '../../storage/open-storage.ts';
import type { Command, CommandIo } from '../command.ts';
import { isUrl, joinLocation } from '../../storage/location.ts';
import { dryRun, runSession, type Session, withLockedRun } from '../run-session.ts';

/**
 * The command of one stage: `pairmill extract --input … --output …`, on the same folders as within a run. Where the stage can read what
 * another makes of files from outside (download of a list), the command takes such files and runs both.
 */
export function stageCommand(stage: Stage): Command {
  const reads = stage.reads[0]?.dataset ?? 'crawl';
  const before = stageBefore(stage);
  const takes = before?.takes ?? stage.takes;
  const folders = z.object({
    runDir: option(
      z.string().optional(),
      `Run folder or s3:// prefix: ${reads}/ is read and ${stage.writes}/ written where --input and --output are not given; pairmill-run where neither it nor --output is given`,
      { value: 'DIR', decidesResult: false },
    ),
    input: option(z.string().optional(), `What to read instead of the run folder's ${reads}/${takes ? `: ${takes}` : ''}`, {
      value: 'PATH',
      aliases: inputAliases[stage.name] ?? [],
      decidesResult: false,
    }),
    output: option(
      z.string().optional(),
      `Where to write instead of the run folder's ${stage.writes}/; without --run-dir, rejects and the record of the run lie there too`,
      {
        value: 'DIR',
        aliases: ['output-folder'],
        decidesResult: false,
      },
    ),
  });
  return {
    name: stage.name,
    summary: stage.does,
    details: `${stage.does} Reads ${reads}/ and writes ${stage.writes}/ of the run folder; docs/formats.md describes both.`,
    options: z.object({ ...folders.shape, ...runOptions.shape, ...before?.options.shape, ...stage.options.shape }),
    async run(args, io) {
      const sources = { flags: args.flags, environment: io.environment };
      const { runDir, input, output } = readOptions(folders, sources);
      const run = readOptions(runOptions, sources);
      const options = readOptions(stage.options, sources);
      const location = locationOf(runDir ?? output ?? 'pairmill-run');
      const given = before && input !== undefined ? await datasetAt(input, stage, io.environment) : undefined;
      if (before && input !== undefined && given === undefined) {
        const elsewhere =
          output === undefined ? {} : { [stage.writes]: locationOf(output), [before.writes]: joinLocation(locationOf(output), `_${before.writes}`) };
        const session: Session = {
          stages: [before, stage],
          options: { [before.name]: readOptions(before.options, sources), [stage.name]: options },
          location,
          elsewhere,
          unread: stage.reads.map(({ dataset }) => dataset).filter((dataset) => dataset !== before.writes),
          inputs: { [before.name]: input },
          summary: false,
          run,
        };
        return run.dryRun ? dryRun(session, io) : withLockedRun(location, io, () => runSession(session, io));
      }
      const elsewhere = {
        ...(output !== undefined && { [stage.writes]: locationOf(output) }),
        ...(input !== undefined && stage.takes === undefined && { [given ?? reads]: locationOf(input) }),
      };
      // A stage that reads files from outside only looks for them in the run where none are named.
      const files =
        stage.takes === undefined ? undefined : (input ?? (stage.reads.length === 0 && !options['crawl'] ? joinLocation(location, 'crawl') : undefined));
      const inputs = files === undefined ? {} : { [stage.name]: files };
      const unread = given === undefined ? [] : stage.reads.map(({ dataset }) => dataset).filter((dataset) => dataset !== given);
      const session = { stages: [stage], options: { [stage.name]: options }, location, elsewhere, unread, inputs, summary: false, run };
      return run.dryRun ? dryRun(session, io) : withLockedRun(location, io, () => runSession(session, io));
    },
  };
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
