import { counted } from '../../contracts/counted.ts';
import { lineCharts } from '../../formats/line-chart.ts';
import type { HeadReport } from './head-report.ts';

/** A report as one picture (SVG): ROC, precision and recall, calibration, what a threshold does, the two confusions. */
export function headCharts(report: HeadReport, title: string): string {
  const { confusion, thresholds } = report;
  const counts = (['0.5', '0.8'] as const).map((threshold) => {
    const { true_positive: tp, false_positive: fp, true_negative: tn, false_negative: fn } = confusion[threshold];
    return `at ${threshold}: ${tp} found, ${fn} missed, ${counted(fp, 'false alarms')}, ${tn} rightly passed`;
  });
  return lineCharts(
    [
      {
        title: `ROC, area ${report.roc_auc.toFixed(4)}`,
        x: 'false positive rate',
        y: 'recall',
        lines: [
          { name: 'the head', points: report.roc.map((point) => [point.false_positive_rate, point.recall]) },
          {
            name: 'chance',
            points: [
              [0, 0],
              [1, 1],
            ],
            dotted: true,
          },
        ],
      },
      {
        title: `Precision and recall, average ${report.average_precision.toFixed(4)}`,
        x: 'recall',
        y: 'precision',
        lines: [
          { name: 'the head', points: report.precision_recall.map((point) => [point.recall, point.precision]) },
          {
            name: 'chance',
            points: [
              [0, report.positives / report.rows],
              [1, report.positives / report.rows],
            ],
            dotted: true,
          },
        ],
      },
      {
        title: 'Calibration',
        x: 'mean score of the bin',
        y: 'share of positives in it',
        lines: [
          { name: 'the head', points: report.calibration.map((bin) => [bin.mean_score, bin.share_positive]), marked: true },
          {
            name: 'perfect',
            points: [
              [0, 0],
              [1, 1],
            ],
            dotted: true,
          },
        ],
      },
      {
        title: 'Thresholds',
        x: 'threshold',
        y: 'share',
        lines: [
          { name: 'precision', points: thresholds.flatMap((row) => (row.precision === null ? [] : [[row.threshold, row.precision] as const])) },
          { name: 'recall', points: thresholds.map((row) => [row.threshold, row.recall]) },
          { name: 'false positives', points: thresholds.map((row) => [row.threshold, row.false_positive_rate]) },
          { name: 'flagged', points: thresholds.map((row) => [row.threshold, row.flagged]) },
        ],
      },
    ],
    { perRow: 2, title, notes: counts },
  );
}
