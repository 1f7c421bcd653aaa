import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { parse } from 'yaml';
import { messageOf, UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import { pipeline, routes } from '../../pipeline.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { runOptions } from '../../runtime/run-options.ts';
import type { Command } from '../command.ts';
import { isUrl, joinLocation } from '../../storage/location.ts';
import { dryRun, runSession, withLockedRun } from '../run-session.ts';

/** Top-level keys of a configuration file beside the stages' sections and the options of every run. */
export const configOptions = z.object({
  runDir: option(z.string().default('pairmill-run'), 'Run folder, relative to the configuration file, or s3:// prefix', { value: 'DIR', decidesResult: false }),
  input: option(
    z.string().optional(),
    'WAT or WARC files: paths, globs or URLs, separated by commas; relative to the configuration file. Not needed where extract reads a crawl by its name',
    {
      value: 'PATH',
      decidesResult: false,
    },
  ),
  until: option(z.enum(pipeline.map(({ name }) => name) as [string, ...string[]]).default('index'), 'Last stage to run', {
    value: 'STAGE',
    decidesResult: false,
  }),
});

export const runCommand: Command = {
  name: 'run',
  summary: 'Runs all stages as a configuration file says: from crawl files to an index.',
  details:
    'Runs all stages as a configuration file says: from crawl files to an index. Killed anywhere and started again, it goes on. docs/config.md lists the keys; flags given here win over the file.',
  positionals: 'CONFIG',
  options: z.object({ ...configOptions.partial().shape, ...runOptions.shape }),
  async run(args, io) {
    const [path, ...others] = args.positionals;
    if (path === undefined || others.length > 0)
      throw new UsageError('pairmill run takes one configuration file: pairmill run CONFIG. docs/config.md shows one.');
    const config = await readConfig(path);
    const { top, sections } = splitSections(config, path);
    const sources = { flags: args.flags, environment: io.environment };
    const base = pick(top, configOptions, runOptions);
    const { runDir, input, until } = readOptions(configOptions, { ...sources, config: base[0], configName: path });
    const run = readOptions(runOptions, { ...sources, config: base[1], configName: path });
    const options: Record<string, Record<string, unknown>> = {};
    // Stage options come from their section alone: a flag of `run` could mean several stages.
    for (const stage of pipeline)
      options[stage.name] = readOptions(stage.options, { environment: io.environment, config: sections[stage.name], configName: `${path}: ${stage.name}` });
    const folder = dirname(resolve(path));
    const stages = routes.crawl.slice(0, routes.crawl.findIndex(({ name }) => name === until) + 1);
    const files = input
      ?.split(',')
      .map((item) => (isUrl(item) ? item : resolve(folder, item)))
      .join(',');
    const location = isUrl(runDir) ? runDir.replace(/\/+$/, '') : resolve(folder, runDir);
    const extract = files ?? (options['extract']?.['crawl'] ? undefined : joinLocation(location, 'crawl'));
    const inputs: Record<string, string> = extract === undefined ? {} : { extract };
    const session = { stages, options, location, unread: ['lists'], inputs, summary: true, run };
    return run.dryRun ? dryRun(session, io) : withLockedRun(location, io, () => runSession(session, io));
  },
};

async function readConfig(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`The configuration ${path} can't be read: ${messageOf(error)}.`);
  }
  try {
    const config: unknown = parse(text) ?? {};
    if (typeof config !== 'object' || Array.isArray(config)) throw new Error('it is not a mapping of keys to values');
    return config as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`The configuration ${path} is not valid YAML: ${messageOf(error)}`);
  }
}

function splitSections(config: Record<string, unknown>, path: string): { top: Record<string, unknown>; sections: Record<string, Record<string, unknown>> } {
  const top: Record<string, unknown> = {};
  const sections: Record<string, Record<string, unknown>> = {};
  for (const [key, value] of Object.entries(config)) {
    if (!pipeline.some(({ name }) => name === key)) top[key] = value;
    else if (value === null) sections[key] = {};
    else if (typeof value === 'object' && !Array.isArray(value)) sections[key] = value as Record<string, unknown>;
    else throw new UsageError(`${path}: ${key} is a stage: its value must be a mapping of options.`);
  }
  return { top, sections };
}

/** Divides the top-level keys between two schemas; a key that belongs to neither is left to the first, which refuses it. */
function pick(top: Record<string, unknown>, first: z.ZodObject, second: z.ZodObject): [Record<string, unknown>, Record<string, unknown>] {
  const belongs = (key: string, schema: z.ZodObject): boolean => key.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()) in schema.shape;
  const entries = Object.entries(top);
  return [
    Object.fromEntries(entries.filter(([key]) => belongs(key, first) || !belongs(key, second))),
    Object.fromEntries(entries.filter(([key]) => !belongs(key, first) && belongs(key, second))),
  ];
}
