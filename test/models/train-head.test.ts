import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { headReport } from '../../src/models/heads/head-report.ts';
import { readHead } from '../../src/models/heads/head.ts';
import { scoreRows } from '../../src/models/heads/head-scorer.ts';
import { type LabelledRows, trainHead } from '../../src/models/heads/train-head.ts';
import { requirePython } from '../python.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'train-head-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const settings = { hidden: [], seed: 1, epochs: 200, patience: 10 };
const DIMENSIONS = 24;

/** Two clouds that overlap, one row in five a yes; the embeddings have length 1, as those of CLIP have. */
function clouds(rows: number, seed: number): LabelledRows {
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const values = new Float32Array(rows * DIMENSIONS);
  const labels = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    labels[row] = random() < 0.2 ? 1 : 0;
    const vector = Float32Array.from({ length: DIMENSIONS }, (_, i) => random() + random() + random() - 1.5 + (i < 4 ? 0.45 * labels[row]! : 0));
    const length = Math.hypot(...vector);
    values.set(
      vector.map((value) => value / length),
      row * DIMENSIONS,
    );
  }
  return { dimensions: DIMENSIONS, values, labels };
}

async function accuracy(bytes: Uint8Array, { values, labels }: LabelledRows): Promise<number> {
  await writeFile(join(folder, 'head.safetensors'), bytes);
  return headReport(await scoreRows(await readHead(join(folder, 'head.safetensors')), values), labels).accuracy;
}

describe('training a head', () => {
  const [training, validation, held] = [clouds(2000, 1), clouds(400, 2), clouds(2000, 3)];

  test("logistic regression, as right as scikit-learn's to within a point, and a small network; the same bytes twice", async (context) => {
    const regression = trainHead(training, validation, settings, { output: 'x' });
    expect(Buffer.from(trainHead(training, validation, settings, { output: 'x' }).bytes).equals(regression.bytes)).toBe(true);
    const network = trainHead(training, validation, { ...settings, hidden: [8] }, { output: 'x' });
    const ours = [await accuracy(regression.bytes, held), await accuracy(network.bytes, held)];
    const majority = held.labels.filter((label) => label === 0).length / held.labels.length;
    for (const share of ours) expect(share).toBeGreaterThan(majority + 0.03);

    const python = requirePython(context, 'sklearn', 'numpy');
    for (const [name, rows] of Object.entries({ training, held })) {
      await writeFile(join(folder, `${name}.f4`), rows.values);
      await writeFile(join(folder, `${name}.u1`), rows.labels);
    }
    const theirs = Number(
      python(
        `
import sys, numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.pipeline import make_pipeline
read = lambda name: (np.fromfile(f"{sys.argv[1]}/{name}.f4", "<f4").reshape(-1, ${DIMENSIONS}), np.fromfile(f"{sys.argv[1]}/{name}.u1", "u1"))
print(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(*read("training")).score(*read("held")))`,
        [folder],
      ),
    );
    expect(ours[0]).toBeGreaterThanOrEqual(theirs - 0.01);
  });

  test('scores are probabilities, though the classes weigh the same in training', async () => {
    const { bytes } = trainHead(training, validation, settings, { output: 'x' });
    await writeFile(join(folder, 'head.safetensors'), bytes);
    const scores = await scoreRows(await readHead(join(folder, 'head.safetensors')), held.values);
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    expect(Math.abs(mean - held.labels.reduce((sum, label) => sum + label, 0) / held.labels.length)).toBeLessThan(0.03);
  });

  test('rows of one kind only are refused', () => {
    const none = { ...validation, labels: new Uint8Array(validation.labels.length) };
    expect(() => trainHead(training, none, settings, { output: 'x' })).toThrow(/None of the 400 validation rows has the label 1/);
  });
});

describe('what a classifier is worth', () => {
  test('by hand: six rows, two scores alike', () => {
    const report = headReport([0.9, 0.8, 0.6, 0.6, 0.3, 0.1], Uint8Array.from([1, 0, 1, 0, 1, 0]));
    // Of nine pairs of a yes and a no, five in order and one tied.
    expect(report.roc_auc).toBeCloseTo(5.5 / 9, 12);
    expect(report.average_precision).toBeCloseTo((1 + 2 / 4 + 3 / 5) / 3, 12);
    expect(report.confusion).toEqual({
      '0.5': { true_positive: 2, false_positive: 2, true_negative: 1, false_negative: 1 },
      '0.8': { true_positive: 1, false_positive: 1, true_negative: 2, false_negative: 2 },
    });
    expect(report).toMatchObject({ rows: 6, positives: 3, accuracy: 0.5, majority: 0.5 });
    expect(report.thresholds.find(({ threshold }) => threshold === 0.85)).toMatchObject({ precision: 1, recall: 1 / 3, false_positive_rate: 0, f1: 0.5 });
    expect(report.thresholds.at(-1)).toMatchObject({ threshold: 0.95, flagged: 0, precision: null, recall: 0 });
    expect(report.calibration.find(({ from }) => from === 0.6)).toEqual({ from: 0.6, rows: 2, mean_score: 0.6, share_positive: 0.5 });
  });
});
