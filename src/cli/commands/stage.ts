import { resolve } from 'node:path';
import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import type { Stage } from '../../contracts/stage.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { runOptions } from '../../runtime/run-options.ts';
import type { Command } from '../command.ts';
import { isUrl, joinLocation } from '../../storage/location.ts';
import { dryRun, runSession, withLockedRun } from '../run-session.ts';

/** The command of one stage: `pairmill extract --input … --output …`, on the same folders as within a run. */
export function stageCommand(stage: Stage): Command {
  const reads = stage.reads[0]?.dataset ?? 'crawl';
  const folders = z.object({
    runDir: option(
      z.string().optional(),
      `Run folder or s3:// prefix: ${reads}/ is read and ${stage.writes}/ written where --input and --output are not given; pairmill-run where neither it nor --output is given`,
      { value: 'DIR', decidesResult: false },
    ),
    input: option(z.string().optional(), `What to read instead of the run folder's ${reads}/${stage.takes ? `: ${stage.takes}` : ''}`, {
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
    options: z.object({ ...folders.shape, ...runOptions.shape, ...stage.options.shape }),
    async run(args, io) {
      const sources = { flags: args.flags, environment: io.environment };
      const { runDir, input, output } = readOptions(folders, sources);
      const run = readOptions(runOptions, sources);
      const options = readOptions(stage.options, sources);
      const location = locationOf(runDir ?? output ?? 'pairmill-run');
      const elsewhere = {
        ...(output !== undefined && { [stage.writes]: locationOf(output) }),
        ...(input !== undefined && stage.takes === undefined && { [reads]: locationOf(input) }),
      };
      // A stage that reads files from outside only looks for them in the run where none are named.
      const files =
        stage.takes === undefined ? undefined : (input ?? (stage.reads.length === 0 && !options['crawl'] ? joinLocation(location, 'crawl') : undefined));
      const inputs = files === undefined ? {} : { [stage.name]: files };
      const session = { stages: [stage], options: { [stage.name]: options }, location, elsewhere, inputs, summary: false, run };
      return run.dryRun ? dryRun(session, io) : withLockedRun(location, io, () => runSession(session, io));
    },
  };
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
