// What a picture's emoji stands on. A web of white backgrounds would teach nothing about real pictures.

import { randomFrom } from './random.ts';
import type { Random } from './random.ts';

type Colour = readonly [red: number, green: number, blue: number];

export type BackgroundStyle = 'plain' | 'gradient' | 'noise' | 'stripes' | 'checks';

export interface Background {
  style: BackgroundStyle;
  colours: readonly [Colour, Colour];
  /** Degrees, of gradients and stripes. */
  angle: number;
  /** Pixels: width of a stripe, a check, a patch of noise. */
  grain: number;
  seed: number;
}

function fromHsl(hue: number, saturation: number, lightness: number): Colour {
  const channel = (n: number): number => {
    const k = (n + hue / 30) % 12;
    const a = saturation * Math.min(lightness, 1 - lightness);
    return Math.round(255 * (lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** Light more often than dark: many emoji are drawn in dark lines. */
function pickColour(random: Random): Colour {
  const lightness = random.chance(0.8) ? 0.55 + 0.42 * random.next() : 0.2 + 0.3 * random.next();
  return fromHsl(360 * random.next(), 0.1 + 0.6 * random.next(), lightness);
}

const styles: readonly BackgroundStyle[] = ['plain', 'gradient', 'gradient', 'noise', 'noise', 'stripes', 'checks'];

export function pickBackground(random: Random, style: BackgroundStyle = random.pick(styles)): Background {
  const first = pickColour(random);
  const other = pickColour(random);
  // Stripes and checks of two wild colours would drown the emoji, so the second is drawn towards the first.
  const mix = style === 'gradient' ? 1 : 0.45;
  const second = first.map((value, i) => Math.round(value + ((other[i] ?? value) - value) * mix));
  return {
    style,
    colours: [first, second as unknown as Colour],
    angle: random.integer(0, 179),
    grain: random.pick([6, 10, 16, 24, 40]),
    seed: random.integer(0, 0x7fffffff),
  };
}

function css([red, green, blue]: Colour): string {
  return `rgb(${red},${green},${blue})`;
}

/** The background as SVG elements; null for noise, which is made of pixels. */
export function backgroundSvg(background: Background, width: number, height: number): string | null {
  const [first, second] = background.colours.map(css) as [string, string];
  const fill = (paint: string): string => `<rect width="${width}" height="${height}" fill="${paint}"/>`;
  const grain = background.grain;
  switch (background.style) {
    case 'plain':
      return fill(first);
    case 'gradient':
      return (
        `<linearGradient id="bg" gradientTransform="rotate(${background.angle} .5 .5)">` +
        `<stop stop-color="${first}"/><stop offset="1" stop-color="${second}"/></linearGradient>${fill('url(#bg)')}`
      );
    case 'stripes': {
      // A repeating gradient with hard stops: ten times as fast to draw as a rotated pattern.
      const angle = (background.angle * Math.PI) / 180;
      const end = `x2="${(2 * grain * Math.cos(angle)).toFixed(3)}" y2="${(2 * grain * Math.sin(angle)).toFixed(3)}"`;
      return (
        `<linearGradient id="bg" gradientUnits="userSpaceOnUse" spreadMethod="repeat" x1="0" y1="0" ${end}>` +
        `<stop stop-color="${first}"/><stop offset=".5" stop-color="${first}"/><stop offset=".5" stop-color="${second}"/>` +
        `<stop offset="1" stop-color="${second}"/></linearGradient>${fill('url(#bg)')}`
      );
    }
    case 'checks':
      return (
        `<pattern id="bg" width="${2 * grain}" height="${2 * grain}" patternUnits="userSpaceOnUse">` +
        `<rect width="${2 * grain}" height="${2 * grain}" fill="${first}"/><path d="M0 0h${grain}v${2 * grain}h${grain}v-${grain}H0z" fill="${second}"/></pattern>${fill('url(#bg)')}`
      );
    case 'noise':
      return null;
  }
}

export interface Pixels {
  data: Buffer;
  width: number;
  height: number;
}

/** A coarse grid of random colours between the background's two, to be enlarged to the picture's size. */
export function noisePixels(background: Background, width: number, height: number): Pixels {
  const random = randomFrom(background.seed, 'noise');
  const columns = Math.max(2, Math.ceil(width / background.grain));
  const rows = Math.max(2, Math.ceil(height / background.grain));
  const [first, second] = background.colours;
  const data = Buffer.allocUnsafe(columns * rows * 3);
  for (let at = 0; at < data.length; at += 3) {
    const share = random.next();
    const light = 48 * (random.next() - 0.5);
    for (let i = 0; i < 3; i++) {
      const value = (first[i] ?? 0) * (1 - share) + (second[i] ?? 0) * share + light;
      data[at + i] = Math.max(0, Math.min(255, Math.round(value)));
    }
  }
  return { data, width: columns, height: rows };
}
