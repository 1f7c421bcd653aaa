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

const modelsOptions = z.object({
  modelCache: modelOptions.modelCache,
  hubUrl: modelOptions.hubUrl,
  hubToken: option(z.string().optional(), 'Access token of the hub, for models that need one; better given as PAIRMILL_HUB_TOKEN', {
    value: 'TOKEN',
    decidesResult: false,
  }),
  modelPrecision: modelOptions.modelPrecision,
  json: option(z.boolean().default(false), 'Print as JSON on stdout', { decidesResult: false }),
});

/** The models that have an id; those of the hub are fetched, and any is held against what is recorded of it. */
export const modelsCommand: Command = {
  name: 'models',
  summary: 'Lists the models, fetches them from the hub (pull), or checks that one computes what it should (verify).',
  details:
    'models list: the models that have an id, and which are on this machine. models pull MODEL…: fetches their files from the hub, goes on where a download broke off, and checks the checksums. models verify MODEL…: loads a model, an id or a folder, encodes reference inputs, and compares with recorded embeddings where there are any. Ends with 1 where a check fails.',
  positionals: 'list | pull MODEL… | verify MODEL…',
  options: modelsOptions,
  async run(args, io) {
    const { json, ...given } = readOptions(modelsOptions, { flags: args.flags, environment: io.environment });
    const settings = modelSettings(given);
    const [action = 'list', ...models] = args.positionals;
    if (action === 'list' && models.length === 0) return list(settings, json, io);
    if ((action === 'pull' || action === 'verify') && models.length > 0)
      return action === 'pull' ? pull(models, settings, json, io) : verify(models, settings, json, io);
    throw new UsageError(`pairmill models takes list, pull MODEL… or verify MODEL…, with MODEL a folder or one of ${modelIds.join(', ')}.`);
  },
};

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
