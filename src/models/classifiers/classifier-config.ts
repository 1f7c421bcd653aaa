import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import type { Classifier, ClassifierActivation, ClassifierInput } from './classifier.ts';
import { readModelConfig } from '../model-config.ts';
import type { FileSource } from '../model-entry.ts';
import { Preprocessor, preprocessingOf } from '../preprocessor-config.ts';
import { isOfLaion } from '../tag-column.ts';

/**
 * Reads the entry of a classifier whose configuration lies in a folder, in the hub's layout: config.json, and preprocessor_config.json
 * or tokenizer.json. What the hub's files don't say may stand under `pairmill` in config.json (docs/models.md).
 */

const columnName = z.string().regex(/^[A-Za-z_]\w*$/, 'a column has letters, digits and _ only');

const Config = z.looseObject({
  model_type: z.string().optional(),
  id2label: z.record(z.string().regex(/^\d+$/), z.string()),
  problem_type: z.string().nullish(),
  max_position_embeddings: z.int().positive().optional(),
  pad_token_id: z.int().nonnegative().nullish(),
  pairmill: z
    .looseObject({
      id: columnName.optional(),
      columns: z.record(z.string(), columnName).optional(),
      activation: z.enum(['softmax', 'sigmoid', 'identity']).optional(),
      source: z.string().optional(),
      resample: z.literal('aligned').optional(),
      centre: z.literal('torchvision').optional(),
    })
    .default({}),
});
type Config = z.output<typeof Config>;

const TokenizerConfig = z.looseObject({ model_max_length: z.number().positive().optional() });

/** Which of a classifier's files say what it is; the last may be absent. */
export const configFiles = {
  pictures: ['config.json', 'preprocessor_config.json'],
  texts: ['config.json', 'tokenizer.json', 'tokenizer_config.json'],
} as const;

/** `file`: its ONNX file. Throws UsageError where the folder is no classifier of this kind. */
export async function readClassifier(
  folder: string,
  kind: ClassifierInput['kind'],
  { name, source, file }: { name: string; source: FileSource; file: string },
): Promise<Classifier> {
  const config = await readModelConfig(folder, 'config.json', Config);
  const { activation, source: origin } = config.pairmill;
  const id = config.pairmill.id ?? words(name);
  const labels = Object.keys(config.id2label).length;
  return {
    id,
    source,
    file,
    labels,
    columns: columnsOf(config, id, join(folder, 'config.json')),
    activation: activation ?? usualActivation(config, labels),
    ofLaion: isOfLaion(origin),
    input: kind === 'pictures' ? await pictureInput(folder, config) : await textInput(folder, config),
    files: [file, ...configFiles[kind]],
  };
}

/** As transformers' pipelines. */
function usualActivation({ problem_type: problem }: Config, labels: number): ClassifierActivation {
  if (problem === 'regression') return 'identity';
  return problem === 'multi_label_classification' || labels === 1 ? 'sigmoid' : 'softmax';
}

function columnsOf({ id2label, pairmill }: Config, id: string, path: string): Classifier['columns'] {
  const labels = Object.entries(id2label).map(([place, label]) => ({ place: Number(place), label }));
  if (labels.some(({ place }) => place >= labels.length)) throw new UsageError(`${path}: id2label does not number its labels from 0 to ${labels.length - 1}.`);
  labels.sort((a, b) => a.place - b.place);
  if (pairmill.columns === undefined) return labels.map(({ place, label }) => ({ name: `${id}_${words(label)}`, label: place }));
  return Object.entries(pairmill.columns).map(([label, name]) => {
    const found = labels.find((each) => each.label === label);
    if (!found) throw new UsageError(`${path}: pairmill.columns names the label ${label}, and id2label has ${labels.map((each) => each.label).join(', ')}.`);
    return { name, label: found.place };
  });
}

/** As part of a column's name. */
function words(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');
}

async function pictureInput(folder: string, { pairmill }: Config): Promise<ClassifierInput> {
  const preprocessor = await readModelConfig(folder, 'preprocessor_config.json', Preprocessor);
  const preprocessing = preprocessingOf(preprocessor, folder, pairmill.centre === 'torchvision' ? undefined : 'down');
  return { kind: 'pictures', preprocessing: { ...preprocessing, ...(pairmill.resample && { interpolation: pairmill.resample }) } };
}

/** BERT's, of which most are. */
const USUAL_TOKENS = 512;
/** Their places begin after the id that fills up a text. */
const placesAfterPadding = ['roberta', 'xlm-roberta', 'camembert', 'xlm-roberta-xl', 'longformer', 'mpnet'];

async function textInput(folder: string, config: Config): Promise<ClassifierInput> {
  const { model_max_length: tokenizers } = await readModelConfig(folder, 'tokenizer_config.json', TokenizerConfig, {});
  const padId = config.pad_token_id ?? 0;
  const places = config.max_position_embeddings ?? USUAL_TOKENS;
  const own = placesAfterPadding.includes(config.model_type ?? '') ? places - padId - 1 : places;
  return {
    kind: 'texts',
    tower: { tokenizer: 'tokenizer.json', tokenization: 'hub', maxTokens: Math.min(own, tokenizers ?? own), padId, padding: 'own', pooling: 'none' },
  };
}
