import { escapeHtml } from './escape-html.ts';
import { shortNumber } from './short-number.ts';

/** Charts of lines in a picture: SVG, which browsers show and editors scale. */
export interface LineChart {
  title: string;
  x: string;
  y: string;
  lines: { name: string; points: readonly (readonly [x: number, y: number])[]; dotted?: boolean; marked?: boolean }[];
  /** Of the axes; 0 to 1 where none are given. */
  xRange?: readonly [number, number];
  yRange?: readonly [number, number];
}

const [WIDTH, HEIGHT, HEADING, NOTE] = [360, 340, 36, 20];
const plot = { left: 56, top: 34, width: 284, height: 220 };
/** Told apart by people who do not see all colours (Okabe and Ito). */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'];

/** Several charts in one picture, `perRow` side by side, with a title above and lines of text below. */
export function lineCharts(charts: readonly LineChart[], { perRow, title, notes = [] }: { perRow: number; title: string; notes?: readonly string[] }): string {
  const [width, height] = [Math.min(perRow, charts.length) * WIDTH, HEADING + Math.ceil(charts.length / perRow) * HEIGHT + notes.length * NOTE];
  const placed = charts.map(
    (chart, i) => `<g transform="translate(${(i % perRow) * WIDTH},${HEADING + Math.floor(i / perRow) * HEIGHT})">${lineChart(chart)}</g>`,
  );
  const said = notes.map((note, i) => `<text x="${plot.left}" y="${height - (notes.length - i) * NOTE + 4}" font-size="12">${escapeHtml(note)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${width / 2}" y="26" text-anchor="middle" font-size="16" font-weight="bold">${escapeHtml(title)}</text>
${[...placed, ...said].join('\n')}
</svg>
`;
}

function lineChart({ title, x, y, lines, xRange = [0, 1], yRange = [0, 1] }: LineChart): string {
  const across = (value: number): string => (plot.left + (plot.width * (value - xRange[0])) / (xRange[1] - xRange[0])).toFixed(1);
  const up = (value: number): string => (plot.top + plot.height - (plot.height * (value - yRange[0])) / (yRange[1] - yRange[0])).toFixed(1);
  const [right, bottom] = [plot.left + plot.width, plot.top + plot.height];
  const ticks = [0, 1, 2, 3, 4, 5].flatMap((i) => {
    const [valueX, valueY] = [xRange, yRange].map(([from, to]) => from + ((to - from) * i) / 5) as [number, number];
    return [
      `<path d="M${plot.left} ${up(valueY)}H${right}M${across(valueX)} ${plot.top}V${bottom}" stroke="#ddd"/>`,
      `<text x="${plot.left - 6}" y="${up(valueY)}" dy="4" text-anchor="end">${shortNumber(valueY)}</text>`,
      `<text x="${across(valueX)}" y="${bottom + 16}" text-anchor="middle">${shortNumber(valueX)}</text>`,
    ];
  });
  const drawn = lines.flatMap(({ name, points, dotted, marked }, i) => {
    const colour = dotted ? '#888' : colours[i % colours.length]!;
    const path = points.map(([px, py], at) => `${at === 0 ? 'M' : 'L'}${across(px)} ${up(py)}`).join('');
    const marks = marked ? points.map(([px, py]) => `<circle cx="${across(px)}" cy="${up(py)}" r="3" fill="${colour}"/>`) : [];
    const key = `<path d="M${plot.left + 10 + (i % 2) * 145} ${bottom + 48 + Math.floor(i / 2) * 14}h16" stroke="${colour}" stroke-width="2"${dotted ? ' stroke-dasharray="4 3"' : ''}/><text x="${plot.left + 32 + (i % 2) * 145}" y="${bottom + 52 + Math.floor(i / 2) * 14}">${escapeHtml(name)}</text>`;
    return [`<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${dotted ? ' stroke-dasharray="4 3"' : ''}/>`, ...marks, key];
  });
  return [
    `<text x="${plot.left + plot.width / 2}" y="20" text-anchor="middle" font-size="13" font-weight="bold">${escapeHtml(title)}</text>`,
    ...ticks,
    `<text x="${plot.left + plot.width / 2}" y="${bottom + 34}" text-anchor="middle">${escapeHtml(x)}</text>`,
    `<text transform="translate(14,${plot.top + plot.height / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(y)}</text>`,
    ...drawn,
  ].join('\n');
}
