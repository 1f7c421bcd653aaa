import { escapeHtml } from '../formats/escape-html.ts';
import { shortNumber } from '../formats/short-number.ts';
import type { NearPicture, ProbedRow } from './probe-samples.ts';
import type { ProbeFindings } from './probe-findings.ts';
import type { ScoreStatistics } from './score-statistics.ts';

/** A page that needs nothing beside it: figures, plots, and pictures near the threshold. */
export function reportPage(findings: ProbeFindings, rows: readonly ProbedRow[], near: readonly NearPicture[], thresholds: readonly number[]): string {
  const { samples, of, seed, models, scores, correlations, filters, kept, nsfw, suggested } = findings;
  const modelNames = [...new Set(Object.values(models))].join(', ');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>pairmill probe</title><style>${STYLE}</style></head><body>
<h1>pairmill probe</h1>
<p>${number(samples)} samples drawn from ${number(of)} with seed ${seed}, scored by ${escapeHtml(modelNames)}. Nothing was dropped.</p>
<h2>Similarity</h2>
${Object.hasOwn(scores, 'similarity') ? histogram(rows, 'similarity', { thresholds }) : '<p>No sample could be scored.</p>'}
<h2>What each filter would drop</h2>
${table(
  ['filter', 'from', 'drops', 'share', 'that no other drops'],
  filters.map(({ filter, at, drops, onlyIt }) => [filter, at, number(drops), percent(drops / samples), number(onlyIt)]),
  2,
)}
${
  Object.keys(nsfw).some((label) => label !== 'none')
    ? `<p>NSFW: ${Object.entries(nsfw)
        .map(([label, n]) => `${escapeHtml(label)} ${number(n)}`)
        .join(', ')}</p>`
    : ''
}
<h2>Share kept in %, by threshold</h2>
${table(
  ['', 'samples', ...kept.thresholds.map((threshold) => threshold.toFixed(2))],
  kept.groups.map(({ group, n, shares }) => [group, number(n), ...shares.map((share) => (100 * share).toFixed(0))]),
  1,
)}
<p>${suggested.percentile} % of the samples lie below ${
    Object.entries(suggested.thresholds)
      .map(([set, threshold]) => `${threshold} (${set})`)
      .join(', ') || 'nothing'
  }${
    Object.keys(suggested.languages).length > 0
      ? `; by language ${Object.entries(suggested.languages)
          .map(([language, threshold]) => `${escapeHtml(language)} ${threshold}`)
          .join(', ')}`
      : ''
  }.</p>
<h2>Pictures at the threshold</h2>
${pictures(near)}
<h2>All scores</h2>
${table(
  ['score', 'samples', 'mean', 'deviation', ...Object.keys(Object.values(scores)[0]?.quantiles ?? {}).map((percentile) => `${percentile} %`)],
  Object.entries(scores).map(([name, each]) => [name, ...figures(each)]),
  1,
)}
<div class="plots">${Object.keys(scores)
    .filter((name) => name !== 'similarity')
    .map((name) => `<figure><figcaption>${escapeHtml(name)}</figcaption>${histogram(rows, name, { small: true })}</figure>`)
    .join('')}</div>
<h2>Correlations</h2>
${heatMap(correlations)}
</body></html>
`;
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem}
td,th{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left;font-weight:normal;white-space:nowrap}th{color:#555}.n{text-align:right;font-variant-numeric:tabular-nums}
.pictures{display:flex;flex-wrap:wrap;gap:.75rem}.pictures figure{width:120px;margin:0;font-size:.75rem;overflow-wrap:anywhere}.pictures img{display:block;max-width:112px;max-height:112px;border:3px solid #2a6fb0}
.pictures .below img{border-color:#c8c8c8}.plots{display:flex;flex-wrap:wrap;gap:1rem;margin-top:1rem}.plots figure{margin:0}figcaption{font-size:.8rem;color:#555}
svg{display:block}svg text{font:11px system-ui,sans-serif;fill:#555}`;

interface PlotSettings {
  /** Lines at these values. */
  thresholds?: readonly number[];
  small?: boolean;
}

function histogram(rows: readonly ProbedRow[], name: string, { thresholds = [], small = false }: PlotSettings): string {
  const values = rows.flatMap(({ scores }) => (typeof scores[name] === 'number' ? [scores[name]] : []));
  const [width, height, bins] = small ? [250, 110, 30] : [900, 200, 60];
  const low = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const span = high - low || 1;
  const counts = Array.from({ length: bins }, () => 0);
  for (const value of values) counts[Math.min(bins - 1, Math.floor((bins * (value - low)) / span))]!++;
  const most = Math.max(...counts);
  const [plot, step] = [height - 20, width / bins];
  const bars = counts
    .map((n, i) =>
      n === 0
        ? ''
        : `<rect x="${(i * step + 0.5).toFixed(1)}" y="${(plot - (plot * n) / most).toFixed(1)}" width="${(step - 1).toFixed(1)}" height="${((plot * n) / most).toFixed(1)}" fill="#2a6fb0"/>`,
    )
    .join('');
  const lines = [...new Set(thresholds)]
    .filter((threshold) => threshold >= low && threshold <= high)
    .map((threshold) => {
      const x = ((width * (threshold - low)) / span).toFixed(1);
      return `<line x1="${x}" x2="${x}" y1="0" y2="${plot}" stroke="#b03a2a" stroke-width="2"/><text x="${x}" y="10" dx="4">${shortNumber(threshold)}</text>`;
    })
    .join('');
  return `<svg role="img" aria-label="Histogram of ${escapeHtml(name)}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" style="max-width:100%;height:auto">${bars}${lines}<text x="0" y="${height - 5}">${shortNumber(low)}</text><text x="${width}" y="${height - 5}" text-anchor="end">${shortNumber(high)}</text></svg>`;
}

function pictures(near: readonly NearPicture[]): string {
  if (near.length === 0) return '<p>There are none.</p>';
  return [...Map.groupBy(near, ({ row }) => row.set)]
    .map(
      ([set, of]) =>
        `<p>Set ${set}: dropped with a grey frame, kept with a blue one.</p><div class="pictures">${of
          .map(
            ({ row, similarity, threshold, thumbnail }) =>
              `<figure class="${similarity >= threshold ? 'above' : 'below'}"><img alt="" src="${thumbnail}"><b>${similarity.toFixed(3)}</b> ${escapeHtml(shortened(row.caption))}${row.language === '' ? '' : ` (${escapeHtml(row.language)})`}</figure>`,
          )
          .join('')}</div>`,
    )
    .join('');
}

function heatMap({ names, matrix }: ProbeFindings['correlations']): string {
  const cell = (value: number | null): string => {
    if (value === null) return '<td class="n">–</td>';
    const colour = value >= 0 ? '42,111,176' : '176,58,42';
    return `<td class="n" style="background:rgba(${colour},${(Math.abs(value) * 0.7).toFixed(2)})">${value.toFixed(2)}</td>`;
  };
  const body = names.map((name, i) => `<tr><th>${escapeHtml(name)}</th>${matrix[i]!.map(cell).join('')}</tr>`).join('');
  return `<div class="wide"><table><tr><th></th>${names.map((name) => `<th>${escapeHtml(name)}</th>`).join('')}</tr>${body}</table></div>`;
}

/** Columns from `firstNumber` on are numbers. */
function table(header: readonly string[], rows: readonly (readonly string[])[], firstNumber: number): string {
  const cells = (tag: string, row: readonly string[]): string =>
    row.map((cell, i) => `<${tag}${i >= firstNumber ? ' class="n"' : ''}>${escapeHtml(cell)}</${tag}>`).join('');
  return `<div class="wide"><table><tr>${cells('th', header)}</tr>${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')}</table></div>`;
}

function figures({ n, mean, deviation, quantiles }: ScoreStatistics): string[] {
  return [number(n), ...[mean, deviation, ...Object.values(quantiles)].map(shortNumber)];
}

function shortened(caption: string): string {
  const characters = [...caption];
  return characters.length <= 60 ? caption : `${characters.slice(0, 59).join('')}…`;
}

const number = (value: number): string => value.toLocaleString('en');
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
