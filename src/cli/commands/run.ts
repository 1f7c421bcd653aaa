import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import type { Stage } from '../../contracts/stage.ts';
import { pipeline, withFirstPass, withSemanticDuplicates } from '../../pipeline.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { runOptions } from '../../runtime/run-options.ts';
import { readRunRecord } from '../../runtime/run-record.ts';
import { assertPortFree } from '../../server/assert-port-free.ts';
import { serveOptions } from '../../server/options.ts';
import { isUrl, joinLocation, locationOf } from '../../storage/location.ts';
import { openStorage } from '../../storage/open-storage.ts';
import { assertReadablePaths } from '../check-paths.ts';
import type { Command, CommandIo } from '../command.ts';
import { planRoute, type Route } from '../plan-route.ts';
import { type RecognisedInput, recogniseInput } from '../recognise-input.ts';
import { divideKeys, readRunConfig } from '../run-config.ts';
import { serveUntilStopped } from '../serve-until-stopped.ts';
import { readStageOptions, stageFlags } from '../stage-flags.ts';
import { startSession } from '../start-session.ts';
import { unusedFlags } from '../unused-flags.ts';

const stageName = z.enum(pipeline.map(({ name }) => name) as [string, ...string[]]);

/** Top-level keys of a configuration file beside the stages' sections and the options of every run. */
export const configOptions = z.object({
  runDir: option(z.string().default('pairmill-run'), 'Run folder or s3:// prefix: everything is written there', {
    value: 'DIR',
    path: 'one',
    often: true,
    decidesResult: false,
  }),
  input: option(
    z.string().optional(),
    'What to start from, where it is not given behind `run`: crawl files, lists of links, a folder of pictures, webdataset tars, embeddings; paths, globs or URLs, separated by commas',
    { value: 'PATH', path: 'many', decidesResult: false },
  ),
  from: option(stageName.optional(), 'First stage to run. Without it, what is given decides', {
    value: 'STAGE',
    often: true,
    decidesResult: false,
  }),
  until: option(stageName.optional(), 'Last stage to run; index where it is not given', { value: 'STAGE', often: true, decidesResult: false }),
  serve: option(
    z.boolean().optional(),
    'Serve the search page when all is done. Without this option it is served where a person sits at a terminal and the input is given behind `run`',
    {
      decidesResult: false,
    },
  ),
  port: serveOptions.shape.port,
});

const flags = stageFlags(pipeline);
/** Of the stages' options those that help shows first. */
const { model: ofStages, ...others } = flags.listed.shape as Record<string, z.ZodType>;
const { threshold, urlCol, captionCol } = others;
const model = option(ofStages!, 'Model by which pictures and texts are compared, for all stages: an id, a folder, or hf://OWNER/NAME (docs/models.md)', {
  ...ofStages!.meta(),
});
const first = { model, threshold: threshold!, urlCol: urlCol!, captionCol: captionCol! };

export const runCommand: Command = {
  name: 'run',
  summary: 'Makes a dataset and its search page of whatever you have: crawl files, a list of links, pictures, tars, embeddings.',
  details:
    'Recognises by content what is given and runs the stages from there on: crawl files (WARC, WAT), lists of links (Parquet, csv, tsv, txt, json, jsonl), a folder of pictures, webdataset tars, embeddings of clip-retrieval, or a configuration file (.yaml; docs/config.md lists the keys, and flags win over it). ' +
    'Killed anywhere and started again, it goes on. Each option of a stage is one of this command; --STAGE.OPTION (--filter.model) is for that stage alone.',
  positionals: 'INPUT …',
  options: z.object({ ...configOptions.shape, ...first, ...runOptions.shape, ...others }),
  unlisted: flags.ofStages,
  async run(args, io) {
    const { configPath, positional } = inputOf(args.positionals);
    const config = configPath === undefined ? { top: {}, sections: {} } : await readRunConfig(configPath);
    const file = configPath === undefined ? {} : { configName: configPath, configFolder: dirname(resolve(configPath)) };
    const sources = { flags: args.flags, environment: io.environment };
    const [own, ofRuns] = divideKeys(config.top, configOptions, runOptions);
    const { runDir, input: named, from, until, serve: wanted, port } = readOptions(configOptions, { ...sources, config: own, ...file });
    const run = readOptions(runOptions, { ...sources, config: ofRuns, ...file });
    const location = locationOf(runDir);
    const serve = (wanted ?? (positional !== undefined && io.terminal !== undefined)) && (until === undefined || until === 'index') && !run.dryRun;
    if (serve) await assertPortFree(port, '127.0.0.1');

    const input = positional ?? named;
    if (input === undefined && configPath === undefined && !args.flags['crawl'] && !args.flags['extract.crawl'])
      throw new UsageError(
        'pairmill run: nothing is given to start from. Give crawl files, a list of links, a folder of pictures, webdataset tars, embeddings or a configuration: pairmill run INPUT',
      );
    const sections = (stage: string) => ({
      config: config.sections[stage] ?? {},
      ...(configPath !== undefined && { configName: `${configPath}: ${stage}`, configFolder: file.configFolder }),
    });
    // A key that is misspelt is said before anything is looked at.
    for (const { name, options } of pipeline) if (config.sections[name]) readOptions(options, sections(name));
    if (input !== undefined) await assertReadablePaths(absolute(input), configPath === undefined ? 'run' : 'input');
    const given = await whatIsGiven(input, args.flags, io);
    const route = planRoute(given, input === undefined ? joinLocation(location, 'crawl') : absolute(input), { from, until, location });
    const optionsOf = (some: readonly Stage[]) => readStageOptions(some, sources, ({ name }) => sections(name));
    const asked = withSemanticDuplicates(route.stages, optionsOf(route.stages));
    const { stages, options } = withFirstPass(asked, optionsOf(asked));
    // A crawl that is named has no files of its own.
    const inputs = options['extract']?.['crawl'] ? {} : route.inputs;
    await assertSameWay(location, route, io);
    const session = { ...route, stages, inputs, options, location, summary: true, goesOn: serve, run };
    if (!run.quiet && input !== undefined)
      io.err(`${input} is ${given.what}. Stages: ${stages.map(({ name }) => name).join(', ')}. Everything is written to ${runDir}.\n`);
    for (const line of unusedFlags(args.flags, stages)) io.err(`warning: ${line}\n`);
    const code = await startSession(session, io);
    if (code !== 0 || !serve) return code;
    return serveUntilStopped({ ...readOptions(serveOptions, sources), input: location, port }, io);
  },
};

/** A single .yaml is a configuration; everything else is data, and several words are several files (the shell has spread a pattern). */
function inputOf(positionals: readonly string[]): { configPath?: string; positional?: string } {
  const [first] = positionals;
  if (first === undefined) return {};
  if (!/\.ya?ml$/i.test(first)) return { positional: positionals.join(',') };
  if (positionals.length > 1)
    throw new UsageError(`pairmill run takes one configuration file, and ${positionals.length} words were given. Name the data in it, as input.`);
  return { configPath: first };
}

async function whatIsGiven(input: string | undefined, flags: Readonly<Record<string, unknown>>, io: CommandIo): Promise<RecognisedInput> {
  const text = (name: string): string | undefined => (typeof flags[name] === 'string' ? flags[name] : undefined);
  // Without an input: the crawl that --crawl names, or the one in the run's own folder.
  if (input === undefined) return { kind: 'crawl', what: 'a crawl' };
  return recogniseInput(input, io.environment, {
    urlCol: text('url-col') ?? text('list.url-col'),
    captionCol: text('caption-col') ?? text('list.caption-col'),
    captions: text('captions') ?? text('import.captions'),
  });
}

function absolute(input: string): string {
  return input
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
    .map((item) => (isUrl(item) ? item : resolve(item)))
    .join(',');
}

/** Throws UsageError where the folder holds a run that began with another kind of data. */
async function assertSameWay(location: string, { inputs }: Route, io: CommandIo): Promise<void> {
  const record = await readRunRecord(await openStorage(location, io.environment));
  const before = Object.entries(record.inputs)[0];
  const now = Object.keys(inputs)[0];
  if (before && now !== undefined && before[0] !== now)
    throw new UsageError(`${location} holds a run that began with ${before[0]} of ${before[1]}. Give this one another folder with --run-dir.`);
}
