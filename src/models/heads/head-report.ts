/** What a head that says yes or no is worth on rows that it was not trained on. */
export interface HeadReport {
  rows: number;
  positives: number;
  /** Share of rows that are right at 0.5, and that would be if every row got the more frequent label. */
  accuracy: number;
  majority: number;
  /** Areas under the two curves. */
  roc_auc: number;
  average_precision: number;
  roc: { threshold: number; false_positive_rate: number; recall: number }[];
  precision_recall: { threshold: number; recall: number; precision: number }[];
  /** Rows by their score, in ten bins: what was said, and how many were positive. */
  calibration: { from: number; rows: number; mean_score: number; share_positive: number }[];
  /** At which threshold what is kept. */
  thresholds: ({ threshold: number; flagged: number; precision: number | null; recall: number; false_positive_rate: number } & { f1: number })[];
  confusion: Record<'0.5' | '0.8', { true_positive: number; false_positive: number; true_negative: number; false_negative: number }>;
}

/** Points of a curve that are kept: a picture shows no more. */
const CURVE_POINTS = 200;

/** Scores of 0 to 1 (`score >= threshold` is a yes) and labels of 0 or 1, of both at least one. */
export function headReport(scores: ArrayLike<number>, labels: Uint8Array): HeadReport {
  const rows = labels.length;
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const order = Array.from(labels.keys()).sort((a, b) => scores[b]! - scores[a]!);
  const points = [{ threshold: Infinity, tp: 0, fp: 0 }];
  let [tp, fp, area, averagePrecision] = [0, 0, 0, 0];
  for (const [i, row] of order.entries()) {
    if (labels[row] === 1) tp++;
    else fp++;
    // Equal scores are one point: no threshold tells them apart.
    if (i + 1 < rows && scores[order[i + 1]!] === scores[row]) continue;
    const last = points.at(-1)!;
    area += ((fp - last.fp) * (tp + last.tp)) / 2;
    averagePrecision += ((tp - last.tp) / positives) * (tp / (tp + fp));
    points.push({ threshold: scores[row]!, tp, fp });
  }
  const negatives = rows - positives;
  const kept = points.filter((_, i) => i === points.length - 1 || i % Math.ceil(points.length / CURVE_POINTS) === 0);
  const at = (threshold: number) => confusionAt(scores, labels, threshold);
  const half = at(0.5);
  return {
    rows,
    positives,
    accuracy: (half.true_positive + half.true_negative) / rows,
    majority: Math.max(positives, negatives) / rows,
    roc_auc: area / (positives * negatives),
    average_precision: averagePrecision,
    roc: kept.map(({ threshold, tp, fp }) => ({ threshold: Math.min(1, threshold), false_positive_rate: fp / negatives, recall: tp / positives })),
    precision_recall: kept.slice(1).map(({ threshold, tp, fp }) => ({ threshold, recall: tp / positives, precision: tp / (tp + fp) })),
    calibration: calibration(scores, labels),
    thresholds: Array.from({ length: 19 }, (_, i) => {
      const threshold = (i + 1) / 20;
      const { true_positive, false_positive, false_negative } = at(threshold);
      const flagged = true_positive + false_positive;
      return {
        threshold,
        flagged: flagged / rows,
        precision: flagged > 0 ? true_positive / flagged : null,
        recall: true_positive / positives,
        false_positive_rate: false_positive / negatives,
        f1: (2 * true_positive) / (flagged + true_positive + false_negative),
      };
    }),
    confusion: { '0.5': half, '0.8': at(0.8) },
  };
}

function confusionAt(scores: ArrayLike<number>, labels: Uint8Array, threshold: number): HeadReport['confusion']['0.5'] {
  const counts = { true_positive: 0, false_positive: 0, true_negative: 0, false_negative: 0 };
  for (const [row, label] of labels.entries()) {
    const yes = scores[row]! >= threshold;
    counts[label === 1 ? (yes ? 'true_positive' : 'false_negative') : yes ? 'false_positive' : 'true_negative']++;
  }
  return counts;
}

function calibration(scores: ArrayLike<number>, labels: Uint8Array): HeadReport['calibration'] {
  return Array.from({ length: 10 }, (_, bin) => {
    let [rows, sum, positives] = [0, 0, 0];
    for (const [row, label] of labels.entries()) {
      if (Math.min(9, Math.floor(scores[row]! * 10)) !== bin) continue;
      rows++;
      sum += scores[row]!;
      positives += label;
    }
    return { from: bin / 10, rows, mean_score: rows > 0 ? sum / rows : 0, share_positive: rows > 0 ? positives / rows : 0 };
  }).filter(({ rows }) => rows > 0);
}
