import { resolve } from 'node:path';
import { z } from 'zod';
import { counted } from '../../contracts/counted.ts';
import { option } from '../../contracts/option.ts';
import { modelOptions, modelSettings } from '../../models/model-settings.ts';
import { readOptions } from '../../runtime/read-options.ts';
import type { Command } from '../command.ts';
import { checkMachine } from '../machine-checks.ts';

const doctorOptions = z.object({
  runDir: option(z.string().default('pairmill-run'), 'Folder of the run whose disk is looked at; it need not be there', {
    value: 'DIR',
    path: 'one',
    decidesResult: false,
  }),
  modelCache: modelOptions.modelCache,
  hubUrl: modelOptions.hubUrl,
  request: option(z.boolean().default(false), 'Send one request to the hub; without it, its name is looked up and no request is sent', {
    decidesResult: false,
  }),
  json: option(z.boolean().default(false), 'Print the findings as JSON on stdout', { decidesResult: false }),
});

/** What this machine has, and what would stop a run here. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Says what this machine has (cores, memory, disk, GPU, PostgreSQL, models, network), and what would stop a run here.',
  details:
    'Says what this machine has (Node.js, cores, memory, disk, GPU, PostgreSQL, models, network), and what would stop a run here. Changes nothing. Ends with 1 where something would stop a run.',
  options: doctorOptions,
  async run(args, io) {
    const { runDir, json, request, ...model } = readOptions(doctorOptions, { flags: args.flags, environment: io.environment });
    const { cacheFolder, hubUrl } = modelSettings({ ...model, modelThreads: 1 });
    const checks = await checkMachine({ runDir: resolve(runDir), modelCache: cacheFolder, hubUrl, request });
    const stopping = checks.filter(({ verdict }) => verdict === 'stops');
    if (json) io.out(`${JSON.stringify({ ready: stopping.length === 0, checks })}\n`);
    else {
      const marks = { ok: 'ok', note: 'note', stops: 'STOPS' };
      const width = Math.max(...checks.map(({ name }) => name.length));
      for (const { name, verdict, what } of checks) io.out(`${marks[verdict].padEnd(5)}  ${name.padEnd(width)}  ${what}\n`);
      io.out(
        stopping.length === 0
          ? '\nNothing here would stop a run.\n'
          : `\n${counted(stopping.length, 'findings')} would stop a run: ${stopping.map(({ name }) => name).join(', ')}.\n`,
      );
    }
    return stopping.length > 0 ? 1 : 0;
  },
};
