import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { counted } from '../../contracts/counted.ts';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import { headReport } from '../../models/heads/head-report.ts';
import { headCharts } from '../../models/heads/head-charts.ts';
import { findModel } from '../../models/find-model.ts';
import { readHead } from '../../models/heads/head.ts';
import { scoreRows } from '../../models/heads/head-scorer.ts';
import { labelledEmbeddings } from '../../models/heads/labelled-embeddings.ts';
import { loadHeads } from '../../models/heads/model-heads.ts';
import { type LabelledRows, trainHead } from '../../models/heads/train-head.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { tagOptions } from '../../stages/tag/options.ts';
import type { Command } from '../command.ts';

const here = { path: 'one', often: true, decidesResult: false } as const;

const trainOptions = z.object({
  labels: option(
    z.string(),
    'Labels: csv, tsv, json, jsonl or Parquet with the columns label and hash (or key, image_path, url), and perhaps split (train, validation, test)',
    {
      value: 'FILE',
      ...here,
    },
  ),
  embeddings: option(z.string(), "Folder of embeddings in clip-retrieval's layout", { value: 'DIR', ...here }),
  output: option(z.string(), 'The head to write, FILE.safetensors; its report lies beside it as .report.json and .report.svg', { value: 'FILE', ...here }),
  column: option(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected letters, digits and _'), 'Column of tags/ that the head will write', {
    value: 'NAME',
    often: true,
  }),
  model: tagOptions.shape.model,
  positive: option(z.string().optional(), 'The label that counts as yes, every other as no; without it, labels are 1 or 0, true or false, yes or no', {
    value: 'LABEL',
    often: true,
  }),
  hidden: option(z.array(z.coerce.number().int().min(1)).default([]), 'Widths of the layers of a small network, such as 64,16; logistic regression without', {
    value: 'N,…',
    often: true,
  }),
  expandWithIndex: option(z.string().optional(), 'Index in which nearest neighbours of the training rows are looked up, to train on them too', {
    value: 'DIR',
    path: 'one',
    often: true,
  }),
  neighbours: option(z.int().min(1).default(10), 'Neighbours of each training row that are looked at'),
  minSimilarity: option(z.number().default(0.9), 'Cosine from which a neighbour takes the label'),
  seed: option(z.int().default(1), 'Seed of the split into training, validation and test rows, of the first weights and of the order of the rows'),
  testShare: option(z.number().min(0).max(0.9).default(0.2), 'Share of the rows without a split that are kept for the report'),
  validationShare: option(
    z.number().min(0.01).max(0.5).default(0.1),
    'Share of the rows without a split that are kept for validation: they say when training stops',
  ),
  epochs: option(z.int().min(1).default(200), 'Passes over the training rows at most'),
  patience: option(z.int().min(1).default(10), 'Passes without a gain on the validation rows after which training stops'),
});

/** How much nearer to one label than to the other a neighbour has to be. */
const NEIGHBOUR_MARGIN = 0.02;

/** Trains a head from labelled embeddings. */
export const tagTrainCommand: Command = {
  name: 'tag train',
  summary: 'Trains a head for tag from labelled embeddings, and writes what it is worth.',
  details:
    'Trains a head for tag from labelled embeddings (logistic regression, or a small network with --hidden), and reports what it is worth on rows that it has not seen: curves, calibration, thresholds, confusion. The same labels, embeddings and options give the same file. docs/tag.md has examples.',
  options: trainOptions,
  async run(args, io) {
    const options = readOptions(trainOptions, { flags: args.flags, environment: io.environment });
    const { column, hidden, seed, epochs, patience, model } = options;
    const output = resolve(options.output);
    if (!output.endsWith('.safetensors')) throw new UsageError(`--output ${options.output}: a head is a file FILE.safetensors.`);
    const entry = await findModel(model);
    const found = await labelledEmbeddings({ ...options, positive: options.positive });
    const { train, validation, test } = found.rows;
    if (train.dimensions !== entry.dimensions)
      throw new UsageError(
        `The embeddings have ${train.dimensions} numbers, those of ${model} ${entry.dimensions}. Give the model that made them with --model.`,
      );
    io.err(
      `${counted(train.labels.length, 'training rows')}, ${validation.labels.length} for validation, ${test.labels.length} for the test, matched by ${found.column}` +
        `${found.unmatched > 0 ? `; ${counted(found.unmatched, 'labels')} without an embedding` : ''}${found.contradicting > 0 ? `; ${counted(found.contradicting, 'pictures')} left out, labelled both ways` : ''}.\n`,
    );
    const grown = options.expandWithIndex === undefined ? undefined : await neighboursIn(options.expandWithIndex, train, found.rows, found.column, options);
    if (grown)
      io.err(
        `${counted(grown.labels.length, 'neighbours')} of training rows are added from ${options.expandWithIndex}, ${grown.labels.filter((label) => label === 1).length} of them with the label yes.\n`,
      );
    const training = grown ? joined(train, grown) : train;
    const { bytes, losses, best } = trainHead(training, validation, { hidden, seed, epochs, patience }, { output: column, input_model: entry.headsFor });
    await mkdir(dirname(output), { recursive: true });
    await writeFile(output, bytes);
    // As tag will read it: a name that it would refuse is refused here.
    await loadHeads(model, [output]);
    if (!test.labels.includes(0) || !test.labels.includes(1)) {
      io.err('No report: the test rows are not of both labels. Give more labels, or a split.\n');
      return 0;
    }
    const report = headReport(await scoreRows(await readHead(output), test.values), test.labels);
    const base = output.slice(0, -'.safetensors'.length);
    const trained = {
      rows: training.labels.length,
      labelled: train.labels.length,
      validation: validation.labels.length,
      passes: losses.length,
      best_pass: best + 1,
      hidden,
      seed,
    };
    await writeFile(`${base}.report.json`, `${JSON.stringify({ column, model: entry.headsFor, trained, validation_loss: losses, test: report }, null, 2)}\n`);
    await writeFile(`${base}.report.svg`, headCharts(report, `${column} on ${report.rows} test rows`));
    io.out(
      `${output}: right on ${percent(report.accuracy)} of ${report.rows} test rows (always saying the more frequent label: ${percent(report.majority)}), area under the ROC curve ${report.roc_auc.toFixed(4)}. The report is ${base}.report.svg.\n`,
    );
    return 0;
  },
};

async function neighboursIn(
  folder: string,
  train: LabelledRows,
  rows: Record<string, { keys: readonly string[] }>,
  column: string,
  { neighbours, minSimilarity }: { neighbours: number; minSimilarity: number },
): Promise<{ values: Float32Array; labels: Uint8Array }> {
  if (column !== 'hash')
    throw new UsageError('--expand-with-index needs labels with the column hash: only that says which rows of the index are labelled already.');
  const known = new Set(Object.values(rows).flatMap(({ keys }) => keys.map(BigInt)));
  // Loaded where it is needed: LanceDB takes as long to load as all else that a command needs at its start.
  const { openIndex } = await import('../../knn/open-index.ts');
  const { labelledNeighbours } = await import('../../knn/labelled-neighbours.ts');
  const index = await openIndex(resolve(folder));
  try {
    return await labelledNeighbours(index, train, { neighbours, minSimilarity, margin: NEIGHBOUR_MARGIN, known });
  } finally {
    await index.close();
  }
}

function joined(train: LabelledRows, grown: { values: Float32Array; labels: Uint8Array }): LabelledRows {
  const values = new Float32Array(train.values.length + grown.values.length);
  values.set(train.values);
  values.set(grown.values, train.values.length);
  return { dimensions: train.dimensions, values, labels: Uint8Array.from([...train.labels, ...grown.labels]) };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
