/** Upper bounds of the histogram's buckets, in seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What is timed; the names are clip-retrieval's where it has one. */
const timers = {
  full_knn_request_time: 'whole time of a search',
  text_clip_inference_time: 'encoding a text',
  image_clip_inference_time: 'encoding a picture',
  knn_index_time: 'searching the index',
  metadata_get_time: 'reading metadata',
  dedup_time: 'removing near-duplicates',
  picture_read_time: 'reading a picture from its tar',
} as const;
export type Timer = keyof typeof timers;

interface Histogram {
  counts: number[];
  sum: number;
  count: number;
}

/** Durations as Prometheus histograms. */
export class Metrics {
  readonly #histograms = new Map<Timer, Histogram>(Object.keys(timers).map((name) => [name as Timer, { counts: BUCKETS.map(() => 0), sum: 0, count: 0 }]));

  /** Times `work` whether it succeeds or fails. */
  async time<T>(timer: Timer, work: () => T | Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.#observe(timer, (performance.now() - started) / 1000);
    }
  }

  #observe(timer: Timer, seconds: number): void {
    const histogram = this.#histograms.get(timer)!;
    histogram.sum += seconds;
    histogram.count++;
    for (const [i, bound] of BUCKETS.entries()) if (seconds <= bound) histogram.counts[i]!++;
  }

  /** Prometheus's text format, version 0.0.4. */
  text(): string {
    const lines: string[] = [];
    for (const [name, { counts, sum, count }] of this.#histograms) {
      lines.push(`# HELP ${name} Seconds: ${timers[name]}`, `# TYPE ${name} histogram`);
      for (const [i, bound] of BUCKETS.entries()) lines.push(`${name}_bucket{le="${bound}"} ${counts[i]}`);
      lines.push(`${name}_bucket{le="+Inf"} ${count}`, `${name}_sum ${sum}`, `${name}_count ${count}`);
    }
    return `${lines.join('\n')}\n`;
  }
}
