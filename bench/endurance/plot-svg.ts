/** One line of a plot: its points in the order of x, and the unit of y. */
export interface PlotLine {
  name: string;
  unit: string;
  colour: string;
  points: readonly { x: number; y: number }[];
}

const WIDTH = 900;
const PANEL = 220;
const [LEFT, TOP, RIGHT] = [70, 40, 20];

/** An SVG with a panel for each line, one below the other, over the same x in seconds; y begins at 0. */
export function plotSvg(title: string, lines: readonly PlotLine[]): string {
  const end = Math.max(1, ...lines.flatMap(({ points }) => points.map(({ x }) => x)));
  const panels = lines.map((line, index) => panel(line, TOP + index * PANEL, end));
  const height = TOP + lines.length * PANEL + 30;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    `<text x="${LEFT}" y="22" font-size="14">${title}</text>`,
    ...panels,
    `<text x="${WIDTH / 2}" y="${height - 8}" text-anchor="middle">seconds</text>`,
    '</svg>\n',
  ].join('\n');
}

function panel({ name, unit, colour, points }: PlotLine, top: number, end: number): string {
  const most = roundUp(Math.max(1, ...points.map(({ y }) => y)));
  const bottom = top + PANEL - 40;
  const x = (value: number): number => LEFT + (value / end) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => bottom - (value / most) * (bottom - top - 20);
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(most * share)}" y2="${y(most * share)}" stroke="#ddd"/>` +
      `<text x="${LEFT - 6}" y="${y(most * share) + 4}" text-anchor="end">${Math.round(most * share)}</text>`,
  );
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].map(
    (share) => `<text x="${x(end * share)}" y="${bottom + 16}" text-anchor="middle">${Math.round(end * share)}</text>`,
  );
  const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ');
  return [
    `<text x="${LEFT}" y="${top + 10}" fill="${colour}">${name} (${unit})</text>`,
    ...grid,
    ...ticks,
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
  ].join('\n');
}

/** The next of 1, 2, 5, 10, 20, 50 … */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value)!;
}
