import { z } from 'zod';
import { counted } from '../../contracts/counted.ts';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import { findClassifier, packagedClassifiers } from '../../models/classifiers/find-classifier.ts';
import { findModel } from '../../models/find-model.ts';
import { inPrecision } from '../../models/in-precision.ts';
import { type ListedModel, listModels } from '../../models/listed-models.ts';
import { loadModel } from '../../models/load-model.ts';
import type { ModelCheck } from '../../models/model-check.ts';
import type { FileSource } from '../../models/model-entry.ts';
import { modelFiles } from '../../models/model-files.ts';
import { modelKind } from '../../models/model-kind.ts';
import { modelOptions, type ModelSettings, modelSettings, usualModelSettings } from '../../models/model-settings.ts';
import { recordedScores } from '../../models/classifiers/recorded-scores.ts';
import { recordedVectors } from '../../models/recorded-vectors.ts';
import { modelIds } from '../../models/registry.ts';
import { verifyClassifier } from '../../models/classifiers/verify-classifier.ts';
import { verifyModel } from '../../models/verify-model.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { bytesText } from '../bytes-text.ts';
import type { Arguments, Command, CommandIo } from '../command.ts';
import { renderTable } from '../table.ts';

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

const ids = [...modelIds, ...Object.keys(packagedClassifiers)];
const takes = `pairmill models takes list, pull MODEL… or verify MODEL…, with MODEL hf://OWNER/NAME, a folder, or one of ${ids.join(', ')}.`;

function modelsCommand(command: Pick<Command, 'name' | 'summary' | 'details' | 'hidden'>): Command {
  return {
    ...command,
    options: cacheOptions,
    async run({ flags, positionals }, io) {
      if (positionals.length > 0) throw new UsageError(takes);
      const { json, ...given } = readOptions(cacheOptions, { flags, environment: io.environment });
      return list(modelSettings({ ...given, hubUrl: usualModelSettings().hubUrl }), json, io);
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

/** Encoders and classifiers: those that have an id are listed, those of the hub are fetched, and any is held against what is recorded of it. */
export const modelsCommands: readonly Command[] = [
  modelsCommand({
    name: 'models',
    summary: 'Lists the models, fetches them from the hub (pull), or checks that one computes what it should (verify).',
    details:
      'pairmill models list lists encoders and classifiers. pairmill models pull MODEL… fetches models from the hub, and pairmill models verify MODEL… checks that a model computes what it should. Each has a --help of its own.',
    hidden: true,
  }),
  modelsCommand({
    name: 'models list',
    summary: 'Lists the encoders and classifiers that have an id or were downloaded, and says which are on this machine.',
  }),
  hubCommand(
    {
      name: 'models pull',
      summary: 'Fetches models from the hub into the cache.',
      details:
        'Fetches the files of models from the hub into the cache, goes on where a download broke off, and checks the checksums. MODEL is an id that pairmill models list shows, or hf://OWNER/NAME (hf://OWNER/NAME@REVISION): a repository of the hub with an encoder or a classifier.',
    },
    pull,
  ),
  hubCommand(
    {
      name: 'models verify',
      summary: 'Checks that models compute what they should.',
      details:
        'Loads each model (an id, hf://OWNER/NAME, or a folder), encodes or classifies reference inputs, and compares vectors or scores with recorded ones where there are any. Ends with 1 where a check fails.',
    },
    verify,
  ),
];

async function list(settings: ModelSettings, json: boolean, io: CommandIo): Promise<0> {
  const models = await listModels(settings);
  if (json) io.out(`${JSON.stringify(models)}\n`);
  else {
    io.out(`${renderTable(['model', 'kind', 'gives', 'sees', 'files'], models.map(row), [0, 1])}\n`);
    io.out(`\nThe cache is ${settings.cacheFolder}. A folder of ONNX files or hf://OWNER/NAME works wherever an id does: docs/models.md.\n`);
  }
  return 0;
}

const kinds = { encoder: 'encoder', pictures: 'classifier of pictures', texts: 'classifier of texts' } as const;

function row({ id, kind, dimensions, labels, side, here, present, bytes }: ListedModel): string[] {
  const gives = dimensions === undefined ? counted(labels!, 'labels') : `${dimensions} numbers`;
  const files = here ? `here, ${bytesText(bytes)}` : present.length > 0 ? `in part here, ${bytesText(bytes)}` : 'on the hub';
  return [id, kinds[kind], gives, side === undefined ? 'texts' : `${side} px`, files];
}

async function pull(models: Arguments['positionals'], settings: ModelSettings, json: boolean, io: CommandIo): Promise<0> {
  for (const model of models) {
    const brought: Brought = (file, size) => {
      if (!json) io.err(`${file} (${size.toLocaleString('en')} bytes)\n`);
    };
    const kind = await modelKind(model, settings);
    const { checksums, bytes, source } =
      kind === 'encoder' ? await pullEncoder(model, settings, brought) : await pullClassifier(model, kind, settings, brought);
    if (json) io.out(`${JSON.stringify({ model, kind, bytes, checksums })}\n`);
    else
      io.out(
        `${model} is here: ${counted(Object.keys(checksums).length, 'files')}, ${bytes.toLocaleString('en')} bytes, ${'folder' in source ? `in ${source.folder}` : 'as the hub has them'}.\n`,
      );
  }
  return 0;
}

type Brought = (file: string, bytes: number) => void;
interface Pulled {
  checksums: Record<string, string>;
  bytes: number;
  source: FileSource;
}

async function pullEncoder(name: string, settings: ModelSettings, brought: Brought): Promise<Pulled> {
  const entry = inPrecision(await findModel(name, settings), settings.precision);
  return { ...(await modelFiles(entry, settings, brought)), source: entry.image.source };
}

async function pullClassifier(name: string, kind: 'pictures' | 'texts', settings: ModelSettings, brought: Brought): Promise<Pulled> {
  const found = await findClassifier(name, kind, settings, brought);
  return { ...found, source: found.classifier.source };
}

async function verify(models: Arguments['positionals'], settings: ModelSettings, json: boolean, io: CommandIo): Promise<0 | 1> {
  let failed = 0;
  for (const model of models) {
    const kind = await modelKind(model, settings);
    const checks = kind === 'encoder' ? await encoderChecks(model, settings) : await classifierChecks(model, kind, settings);
    failed += checks.filter(({ verdict }) => verdict === 'wrong').length;
    if (json) io.out(`${JSON.stringify({ model, kind, checks })}\n`);
    else {
      io.out(`${model} (${kinds[kind]})\n`);
      for (const { verdict, what } of checks) io.out(`  ${verdict.padEnd(7)}  ${what}\n`);
    }
  }
  return failed > 0 ? 1 : 0;
}

async function encoderChecks(name: string, settings: ModelSettings): Promise<ModelCheck[]> {
  const entry = await findModel(name, settings);
  const model = await loadModel(name, settings);
  const checks = await verifyModel(model, entry, await recordedVectors(entry, settings), settings.precision);
  await model.close();
  return checks;
}

async function classifierChecks(name: string, kind: 'pictures' | 'texts', settings: ModelSettings): Promise<ModelCheck[]> {
  const found = await findClassifier(name, kind, settings);
  return verifyClassifier(found, await recordedScores(found), settings);
}
