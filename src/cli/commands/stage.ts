import { resolve } from 'node:path';
import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import type { Stage } from '../../contracts/stage.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { runOptions } from '../../runtime/run-options.ts';
import type { Command } from '../command.ts';
import { runSession } from '../run-session.ts';

/** The command of one stage: `pairmill extract --input … --output …`, on the same folders as within a run. */
export function stageCommand(stage: Stage): Command {
  const folders = z.object({
    runDir: option(
      z.string().default('pairmill-run'),
      `Run folder: ${stage.reads}/ is read and ${stage.writes}/ written where --input and --output are not given`,
      { value: 'DIR', decidesResult: false },
    ),
    input: option(z.string().optional(), `What to read instead of the run folder's ${stage.reads}/`, {
      value: 'PATH',
      aliases: inputAliases[stage.name] ?? [],
      decidesResult: false,
    }),
    output: option(z.string().optional(), `Where to write instead of the run folder's ${stage.writes}/`, {
      value: 'DIR',
      aliases: ['output-folder'],
      decidesResult: false,
    }),
  });
  return {
    name: stage.name,
    summary: stage.does,
    details: `${stage.does} Reads ${stage.reads}/ and writes ${stage.writes}/ of the run folder; docs/formats.md describes both.`,
    options: z.object({ ...folders.shape, ...runOptions.shape, ...stage.options.shape }),
    async run(args, io) {
      const sources = { flags: args.flags, environment: io.environment };
      const { runDir, input, output } = readOptions(folders, sources);
      const run = readOptions(runOptions, sources);
      const options = readOptions(stage.options, sources);
      // A run of one stage of a run folder; its neighbours' folders are where the run has them.
      const elsewhere = { [stage.name]: { ...(input !== undefined && { input }), ...(output !== undefined && { output: resolve(output) }) } };
      return runSession({ stages: [stage], options: { [stage.name]: options }, runDir: resolve(runDir), elsewhere, summary: false, run }, io);
    },
  };
}

/** The peers' names of the input of the stage that does the same. */
const inputAliases: Readonly<Record<string, string[]>> = {
  download: ['url-list'],
  embed: ['input-dataset'],
  index: ['embeddings-folder'],
};
