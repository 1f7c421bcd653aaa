import { UsageError } from '../../contracts/errors.ts';
import { safetensorsBytes } from '../../formats/safetensors.ts';
import { adamStep, addGradient, type Layer, logitOf, newLayer } from './dense-network.ts';

/** Embeddings with a yes or no each. */
export interface LabelledRows {
  dimensions: number;
  /** Row after row. */
  values: Float32Array;
  /** 1 or 0. */
  labels: Uint8Array;
}

export interface TrainingSettings {
  /** Widths of the layers between embedding and result; none: logistic regression. */
  hidden: readonly number[];
  seed: number;
  /** Passes over the training rows at most. */
  epochs: number;
  /** Passes without a smaller loss on the validation rows after which it stops. */
  patience: number;
}

export interface TrainedHead {
  /** The bytes of the safetensors file. */
  bytes: Uint8Array;
  /** Weighted cross-entropy of the validation rows after each pass; that of `best` is the head's. */
  losses: number[];
  best: number;
}

const BATCH = 64;
/** Steps of logistic regression, whose loss has one valley, and of a network. Tried on emoji faces: 0.0003 to 0.01. */
const RATES = { regression: 1e-2, network: 1e-3 };

/**
 * Trains a head on rows that are standardised, each class with half of the weight whatever its size. Stops when the loss on the
 * validation rows has not fallen for `patience` passes, and keeps the weights with which it was smallest. At the end its scores are
 * fitted to how frequent the classes are among the validation rows: of those with 0.8, eight in ten are a yes. One thread, float64: the
 * same rows in the same order give the same bytes. Throws UsageError where a class is missing.
 */
export function trainHead(
  training: LabelledRows,
  validation: LabelledRows,
  settings: TrainingSettings,
  metadata: Readonly<Record<string, string>>,
): TrainedHead {
  for (const [what, { labels }] of [
    ['training', training],
    ['validation', validation],
  ] as const)
    for (const label of [0, 1])
      if (!labels.includes(label)) throw new UsageError(`None of the ${labels.length} ${what} rows has the label ${label}. Label rows of both kinds.`);
  const { dimensions } = training;
  const random = randomNumbers(settings.seed);
  const { mean, variance } = standardisation(training);
  const widths = [dimensions, ...settings.hidden, 1];
  const layers = widths.slice(1).map((outputs, i) => newLayer(widths[i]!, outputs, random));
  const weights = classWeights(training.labels);
  const standardised = standardise(training, mean, variance);
  const held = standardise(validation, mean, variance);
  const heldWeights = classWeights(validation.labels);
  const order = Uint32Array.from(training.labels.keys());
  const rate = settings.hidden.length > 0 ? RATES.network : RATES.regression;
  const losses: number[] = [];
  let [best, step] = [-1, 0];
  let kept: Float64Array[] = [];
  for (let epoch = 0; epoch < settings.epochs && epoch - best <= settings.patience; epoch++) {
    shuffle(order, random);
    for (let start = 0; start < order.length; start += BATCH) {
      const batch = order.subarray(start, start + BATCH);
      for (const { gradient } of layers) gradient.fill(0);
      for (const row of batch)
        addGradient(layers, standardised.subarray(row * dimensions, (row + 1) * dimensions), training.labels[row]!, weights, batch.length);
      step++;
      for (const layer of layers) adamStep(layer, step, rate / (1 + epoch / 10));
    }
    losses.push(meanLoss(layers, held, validation, heldWeights));
    if (best < 0 || losses[epoch]! < losses[best]!) {
      best = epoch;
      kept = layers.map(({ parameters }) => parameters.slice());
    }
  }
  for (const [i, layer] of layers.entries()) layer.parameters = kept[i]!;
  calibrate(layers, held, validation);
  const tensors: Record<string, { shape: number[]; data: ArrayLike<number> }> = {
    mean: { shape: [dimensions], data: mean },
    variance: { shape: [dimensions], data: variance },
  };
  for (const [i, { inputs, outputs, parameters }] of layers.entries()) {
    tensors[`layers.${i}.weight`] = { shape: [outputs, inputs], data: parameters.subarray(0, outputs * inputs) };
    tensors[`layers.${i}.bias`] = { shape: [outputs], data: parameters.subarray(outputs * inputs) };
  }
  return { bytes: safetensorsBytes(tensors, { ...metadata, activation: 'sigmoid', hidden_activation: 'relu', l2_normalize_input: 'true' }), losses, best };
}

/** Numbers of [0, 1) (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffle(order: Uint32Array, random: () => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
}

function standardisation({ dimensions, values, labels }: LabelledRows): { mean: Float64Array; variance: Float64Array } {
  const [mean, variance] = [new Float64Array(dimensions), new Float64Array(dimensions)];
  for (const [at, value] of values.entries()) mean[at % dimensions]! += value / labels.length;
  for (const [at, value] of values.entries()) variance[at % dimensions]! += (value - mean[at % dimensions]!) ** 2 / labels.length;
  // A dimension that is always the same says nothing, and must not be divided by nothing.
  return { mean, variance: variance.map((each) => (each > 1e-12 ? each : 1)) };
}

function standardise({ dimensions, values }: LabelledRows, mean: Float64Array, variance: Float64Array): Float64Array {
  const deviation = variance.map(Math.sqrt);
  return Float64Array.from(values, (value, at) => (value - mean[at % dimensions]!) / deviation[at % dimensions]!);
}

/** Weight of a row of each class, so that both weigh the same and the mean is 1. */
function classWeights(labels: Uint8Array): [number, number] {
  const ones = labels.reduce((sum, label) => sum + label, 0);
  return [labels.length / (2 * (labels.length - ones)), labels.length / (2 * ones)];
}

function meanLoss(layers: readonly Layer[], rows: Float64Array, { dimensions, labels }: LabelledRows, weights: readonly [number, number]): number {
  let sum = 0;
  for (const [row, label] of labels.entries()) {
    const logit = logitOf(layers, rows.subarray(row * dimensions, (row + 1) * dimensions));
    // log(1 + exp(x)) without overflow.
    const signed = label === 1 ? -logit : logit;
    sum += weights[label as 0 | 1] * (Math.max(0, signed) + Math.log1p(Math.exp(-Math.abs(signed))));
  }
  return sum / labels.length;
}

/**
 * Platt's scaling: the logit times a, plus b, so that scores are probabilities; worked into the last layer. Newton's method on the validation
 * rows, with his smoothed targets (Platt, 1999; Lin, Lin and Weng, 2007).
 */
function calibrate(layers: readonly Layer[], rows: Float64Array, { dimensions, labels }: LabelledRows): void {
  const logits = Float64Array.from(labels, (_, row) => logitOf(layers, rows.subarray(row * dimensions, (row + 1) * dimensions)));
  const ones = labels.reduce((sum, label) => sum + label, 0);
  const targets = [1 / (labels.length - ones + 2), (ones + 1) / (ones + 2)] as const;
  let [a, b] = [1, 0];
  for (let pass = 0; pass < 50; pass++) {
    // Gradient and Hessian; the small number keeps it invertible where all logits are alike.
    let [ga, gb, haa, hab, hbb] = [0, 0, 1e-9, 0, 1e-9];
    for (const [row, logit] of logits.entries()) {
      const score = 1 / (1 + Math.exp(-(a * logit + b)));
      const [error, slope] = [score - targets[labels[row] as 0 | 1], score * (1 - score)];
      ga += error * logit;
      gb += error;
      haa += slope * logit * logit;
      hab += slope * logit;
      hbb += slope;
    }
    const determinant = haa * hbb - hab * hab;
    const [da, db] = [(hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant];
    // A step is bounded: far from the valley the curvature is next to nothing.
    const bound = Math.min(1, 2 / Math.max(Math.abs(da), Math.abs(db), 1e-300));
    a -= da * bound;
    b -= db * bound;
    if (Math.max(Math.abs(da), Math.abs(db)) < 1e-10) break;
  }
  // Scores turned round would be a mistake of few rows, not of the head.
  if (!Number.isFinite(a) || a <= 0) return;
  const { parameters, inputs, outputs } = layers.at(-1)!;
  for (let i = 0; i < parameters.length; i++) parameters[i] = parameters[i]! * a;
  parameters[inputs * outputs]! += b;
}
