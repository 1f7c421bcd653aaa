import { type LineChart, lineCharts } from '../../formats/line-chart.ts';

/** What `curve.json` holds: what each cosine would keep. */
export interface Curve {
  /** Embeddings that were compared. */
  rows: number;
  clusters: number;
  largest_cluster: number;
  /** The one by which the marks were set, and how many it marked. */
  cosine: number;
  semantic_duplicates: number;
  /** By falling cosine; `eps` = 1 - cosine, as SemDeDup has it. */
  points: { cosine: number; eps: number; kept: number; dropped: number; share_dropped: number }[];
}

const [LOWEST, PER_UNIT] = [0.5, 1000];

/** `cosines`: of each embedding with the most similar one before it in its cluster; not a number where none comes before. */
export function curveOf(cosines: Float32Array, { starts, cosine }: { starts: Int32Array; cosine: number }): Curve {
  const thresholds = Array.from({ length: (1 - LOWEST) * PER_UNIT + 1 }, (_, i) => (PER_UNIT - i) / PER_UNIT);
  const sorted = cosines.filter((value) => !Number.isNaN(value)).sort();
  const rows = cosines.length;
  const points = thresholds.map((threshold) => {
    const dropped = countFrom(sorted, threshold);
    return { cosine: threshold, eps: Number((1 - threshold).toFixed(3)), kept: rows - dropped, dropped, share_dropped: rows === 0 ? 0 : dropped / rows };
  });
  return {
    rows,
    clusters: starts.length - 1,
    largest_cluster: starts.reduce((largest, start, i) => (i === 0 ? 0 : Math.max(largest, start - starts[i - 1]!)), 0),
    cosine,
    semantic_duplicates: countFrom(sorted, cosine),
    points,
  };
}

/** How many of ascending values reach the threshold. */
function countFrom(sorted: Float32Array, threshold: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! >= threshold) high = middle;
    else low = middle + 1;
  }
  return sorted.length - low;
}

/** The curve as a picture (SVG): the share kept and dropped at each cosine, and once more where duplicates are usually cut. */
export function curveChart({ rows, clusters, largest_cluster, cosine, semantic_duplicates, points }: Curve): string {
  const chart = (title: string, from: number): LineChart => {
    const shown = points.filter((point) => point.cosine >= from);
    const highest = Math.max(0.01, ...shown.map(({ share_dropped }) => share_dropped));
    const whole = from === LOWEST;
    const top = whole ? 1 : Math.min(1, Math.ceil(highest * 20) / 20);
    return {
      title,
      x: 'cosine from which duplicates are dropped',
      y: 'share of the embeddings',
      xRange: [from, 1],
      yRange: [0, top],
      lines: [
        { name: 'dropped', points: shown.map((point) => [point.cosine, point.share_dropped]) },
        ...(whole ? [{ name: 'kept', points: shown.map((point) => [point.cosine, 1 - point.share_dropped] as const) }] : []),
        ...(cosine >= from
          ? [
              {
                name: `--cosine ${cosine}`,
                points: [
                  [cosine, 0],
                  [cosine, top],
                ] as const,
                dotted: true,
              },
            ]
          : []),
      ],
    };
  };
  const said = [
    `${rows.toLocaleString('en')} embeddings in ${clusters.toLocaleString('en')} clusters, the largest of ${largest_cluster.toLocaleString('en')}.`,
    `At a cosine of ${cosine}, ${semantic_duplicates.toLocaleString('en')} are marked as semantic duplicates.`,
  ];
  return lineCharts([chart('Kept and dropped', LOWEST), chart('Dropped, from 0.9 on', 0.9)], { perRow: 2, title: 'Semantic duplicates', notes: said });
}
