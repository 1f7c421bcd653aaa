import { z } from 'zod';
import { counted } from '../../contracts/counted.ts';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import { findModel } from '../../models/find-model.ts';
import { inPrecision } from '../../models/in-precision.ts';
import { loadModel } from '../../models/load-model.ts';
import { modelFiles, presentFiles } from '../../models/model-files.ts';
import { modelOptions, type ModelSettings, modelSettings } from '../../models/model-settings.ts';
import { recordedVectors } from '../../models/recorded-vectors.ts';
import { modelIds } from '../../models/registry.ts';
import { verifyModel } from '../../models/verify-model.ts';
import { readOptions } from '../../runtime/read-options.ts';
import type { Arguments, Command, CommandIo } from '../command.ts';

const json = option(z.boolean().default(false), 'Print as JSON on stdout', { decidesResult: false });

const cacheOptions = z.object({ modelCache: modelOptions.modelCache, json });

const hubOptions = z.object({
  modelCache: modelOptions.modelCache,
  hubUrl: modelOptions.hubUrl,
  hubToken: option(z.string().optional(), 'Access token of the hub, for models that need one; better given as PAIRMILL_HUB_TOKEN', {
    value: 'TOKEN',
    decidesResult: false,
  }),
  modelPrecision: modelOptions.modelPrecision,
  json,
});

const takes = `pairmill models takes list, pull MODEL… or verify MODEL…, with MODEL a folder or one of ${modelIds.join(', ')}.`;

function modelsCommand(command: Pick<Command, 'name' | 'summary' | 'details' | 'hidden'>): Command {
  return {
    ...command,
    options: cacheOptions,
    async run({ flags, positionals }, io) {
      if (positionals.length > 0) throw new UsageError(takes);
      const { json, ...given } = readOptions(cacheOptions, { flags, environment: io.environment });
      // Nothing is asked of a hub.
      return list(modelSettings({ ...given, hubUrl: modelOptions.hubUrl.parse(undefined) }), json, io);
    },
  };
}

function hubCommand(command: Pick<Command, 'name' | 'summary' | 'details'>, run: typeof pull | typeof verify): Command {
  return {
    ...command,
    positionals: 'MODEL…',
    options: hubOptions,
    async run({ flags, positionals }, io) {
      if (positionals.length === 0) throw new UsageError(takes);
      const { json, ...given } = readOptions(hubOptions, { flags, environment: io.environment });
      return run(positionals, modelSettings(given), json, io);
    },
  };
}

/** The models that have an id; those of the hub are fetched, and any is held against what is recorded of it. */
export const modelsCommands: readonly Command[] = [
  modelsCommand({
    name: 'models',
    summary: 'Lists the models, fetches them from the hub (pull), or checks that one computes what it should (verify).',
    details:
      'pairmill models list lists the models that have an id. pairmill models pull MODEL… fetches models from the hub, and pairmill models verify MODEL… checks that a model computes what it should. Each has a --help of its own.',
    hidden: true,
  }),
  modelsCommand({
    name: 'models list',
    summary: 'Lists the models that have an id, and says which are on this machine.',
  }),
  hubCommand(
    {
      name: 'models pull',
      summary: 'Fetches models from the hub into the cache.',
      details:
        'Fetches the files of models from the hub into the cache, goes on where a download broke off, and checks the checksums. MODEL is an id that pairmill models list shows, or a repository of the hub.',
    },
    pull,
  ),
  hubCommand(
    {
      name: 'models verify',
      summary: 'Checks that models compute what they should.',
      details:
        'Loads each model, an id or a folder, encodes reference inputs, and compares the vectors with recorded ones where there are any. Ends with 1 where a check fails.',
    },
    verify,
  ),
];

async function list(settings: ModelSettings, json: boolean, io: CommandIo): Promise<0> {
  const models = [];
  for (const id of modelIds) {
    const entry = await findModel(id);
    const present = await presentFiles(entry, settings);
    models.push({ id, dimensions: entry.dimensions, side: entry.image.preprocessing.size, here: present.missing.length === 0, ...present });
  }
  if (json) io.out(`${JSON.stringify(models)}\n`);
  else {
    const width = Math.max(...modelIds.map(({ length }) => length));
    for (const { id, dimensions, side, here } of models)
      io.out(`${id.padEnd(width)}  ${String(dimensions).padStart(4)} numbers  ${side} px  ${here ? 'here' : 'on the hub'}\n`);
    io.out(`\nThe cache is ${settings.cacheFolder}. A folder of ONNX files works wherever an id does: docs/models.md.\n`);
  }
  return 0;
}

async function pull(models: Arguments['positionals'], settings: ModelSettings, json: boolean, io: CommandIo): Promise<0> {
  for (const model of models) {
    const { checksums, bytes } = await modelFiles(inPrecision(await findModel(model), settings.precision), settings, (file, size) => {
      if (!json) io.err(`${file} (${size.toLocaleString('en')} bytes)\n`);
    });
    if (json) io.out(`${JSON.stringify({ model, bytes, checksums })}\n`);
    else io.out(`${model} is here: ${counted(Object.keys(checksums).length, 'files')}, ${bytes.toLocaleString('en')} bytes, as the hub has them.\n`);
  }
  return 0;
}

async function verify(models: Arguments['positionals'], settings: ModelSettings, json: boolean, io: CommandIo): Promise<0 | 1> {
  let failed = 0;
  for (const name of models) {
    const entry = await findModel(name);
    const model = await loadModel(name, settings);
    const checks = await verifyModel(model, entry, await recordedVectors(entry), settings.precision);
    await model.close();
    failed += checks.filter(({ verdict }) => verdict === 'wrong').length;
    if (json) io.out(`${JSON.stringify({ model: name, checks })}\n`);
    else {
      io.out(`${name}\n`);
      for (const { verdict, what } of checks) io.out(`  ${verdict.padEnd(7)}  ${what}\n`);
    }
  }
  return failed > 0 ? 1 : 0;
}
