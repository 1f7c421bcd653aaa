import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp, { type Sharp } from 'sharp';
import { HashNeighbours, MAX_HASH_DISTANCE } from '../src/pictures/hash-neighbours.ts';
import { downloadOptions } from '../src/stages/download/options.ts';
import { processPicture } from '../src/stages/download/process-picture.ts';
import { photographs } from '../test/local-paths.ts';
import { randomSource } from '../test/random-source.ts';
import type { BenchResult } from './main.ts';

const withHash = downloadOptions.parse({ minBytes: 0 });
const withoutHash = downloadOptions.parse({ minBytes: 0, phash: false });
const COST_ROUNDS = 6;
const SEARCHED = [100_000, 300_000];
const SEARCH_DISTANCES = [3, 8];
/** What release takes where no number is given. */
const USUAL_DISTANCE = 8;

/** What becomes of a picture on its way through the web. */
const copies: Record<string, (picture: Sharp, size: { width: number; height: number }) => Promise<Buffer>> = {
  'JPEG 30': (picture) => picture.jpeg({ quality: 30 }).toBuffer(),
  'JPEG 75': (picture) => picture.jpeg({ quality: 75 }).toBuffer(),
  'WebP 75': (picture) => picture.webp({ quality: 75 }).toBuffer(),
  PNG: (picture) => picture.png({ compressionLevel: 1 }).toBuffer(),
  'size x 0.3': (picture, { width }) =>
    picture
      .resize(Math.round(0.3 * width))
      .jpeg({ quality: 85 })
      .toBuffer(),
  'size x 0.7': (picture, { width }) =>
    picture
      .resize(Math.round(0.7 * width))
      .jpeg({ quality: 85 })
      .toBuffer(),
  'size x 1.5': (picture, { width }) =>
    picture
      .resize(Math.round(1.5 * width))
      .jpeg({ quality: 85 })
      .toBuffer(),
  'crop 1 %': (picture, size) => cropped(picture, size, 0.01),
  'crop 2 %': (picture, size) => cropped(picture, size, 0.02),
  'crop 3 %': (picture, size) => cropped(picture, size, 0.03),
  'crop 5 %': (picture, size) => cropped(picture, size, 0.05),
};

/** Without the given share of the width and of the height, half of it at each side. */
function cropped(picture: Sharp, { width, height }: { width: number; height: number }, share: number): Promise<Buffer> {
  const [left, top] = [Math.round((width * share) / 2), Math.round((height * share) / 2)];
  return picture
    .extract({ left, top, width: width - 2 * left, height: height - 2 * top })
    .jpeg({ quality: 85 })
    .toBuffer();
}

/**
 * Perceptual hashes of photographs (recipes/photographs): how many copies, and how many other pictures, lie within each distance; how far they
 * are from those of imagehash, where a Python with it is named by PAIRMILL_PYTHON; what they cost in a download; how long release searches.
 * Usage: npm run bench -- near-duplicates [--copied N]. Copies are made of N photographs, which are spread over all.
 */
export async function run(args: string[]): Promise<BenchResult> {
  const { values } = parseArgs({ args, options: { copied: { type: 'string', default: '108' } } });
  const folder = join(photographs, 'web');
  if (!existsSync(folder)) throw new Error(`${photographs} has no photographs. Run recipes/photographs/get.sh first.`);
  const paths = readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
  const bodies = await Promise.all(paths.map((path) => readFile(path)));
  const originals: string[] = [];
  for (const body of bodies) originals.push(await hashOf(body));
  const distances = new Map<string, number[]>(Object.keys(copies).map((name) => [name, []]));
  const step = Math.max(1, Math.floor(bodies.length / Number(values.copied)));
  const copied = bodies.flatMap((body, i) => (i % step === 0 ? [{ body, original: originals[i]! }] : []));
  for (const { body, original } of copied) {
    const { width, height } = await sharp(body).metadata();
    const bits = async ([name, copy]: [string, (typeof copies)[string]]): Promise<void> => {
      distances.get(name)!.push(bitsBetween(original, await hashOf(await copy(sharp(body), { width, height }))));
    };
    await Promise.all(Object.entries(copies).map(bits));
  }
  const others: number[] = [];
  for (const [i, one] of originals.entries()) for (const other of originals.slice(0, i)) others.push(bitsBetween(one, other));

  const within = (values: readonly number[], distance: number): number => values.filter((bits) => bits <= distance).length / values.length;
  const planted = [...distances].filter(([name]) => name !== 'crop 5 %').flatMap(([, values]) => values);
  const rows = Array.from({ length: MAX_HASH_DISTANCE + 1 }, (_, distance) => ({
    distance,
    ...Object.fromEntries([...distances].map(([name, values]) => [`${name}, % found`, round(100 * within(values, distance))])),
    'all but crop 5 %, % found': round(100 * within(planted, distance)),
    'other pictures, % of pairs': Number((100 * within(others, distance)).toFixed(4)),
  }));
  const { milliseconds, share } = await cost(bodies.slice(0, 200));
  return {
    title: `near-duplicates: ${copied.length} of ${bodies.length} photographs copied, ${others.length} pairs of different ones; bits of 64 in which perceptual hashes may differ`,
    rows,
    more: [
      {
        title: 'Cost in processPicture (border 256), CPU ms a picture',
        rows: [{ 'CPU ms': round(milliseconds), 'share of the whole, %': round(100 * share) }],
      },
      { title: 'Search in release, one thread', rows: SEARCHED.map(search) },
      { title: 'Beside imagehash.phash of the same files', rows: beside(paths, originals) },
    ],
    ratios: { found: within(planted, USUAL_DISTANCE), false_pairs: within(others, USUAL_DISTANCE), hash_cost: share },
  };
}

async function hashOf(body: Buffer): Promise<string> {
  return (await processPicture(body, withHash)).phash!;
}

function bitsBetween(a: string, b: string): number {
  return (BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(2).replaceAll('0', '').length;
}

/** With and without the hash take turns for each picture; medians of the rounds. */
async function cost(bodies: readonly Buffer[]): Promise<{ milliseconds: number; share: number }> {
  const rounds: { more: number; less: number }[] = [];
  for (let round = 0; round < COST_ROUNDS; round++) {
    const spent = { more: 0, less: 0 };
    for (const [i, body] of bodies.entries())
      for (const turn of [0, 1]) {
        const hashed = (round + i + turn) % 2 === 0;
        const before = process.cpuUsage();
        await processPicture(body, hashed ? withHash : withoutHash);
        const { user, system } = process.cpuUsage(before);
        spent[hashed ? 'more' : 'less'] += (user + system) / 1000 / bodies.length;
      }
    rounds.push(spent);
  }
  const milliseconds = median(rounds.map(({ more, less }) => more - less));
  return { milliseconds, share: milliseconds / median(rounds.map(({ less }) => less)) };
}

/** Random hashes, none near another: each is looked up and added, as release does it. */
function search(count: number): Record<string, number> {
  const result: Record<string, number> = { pictures: count };
  for (const distance of SEARCH_DISTANCES) {
    const { below } = randomSource(distance);
    const neighbours = new HashNeighbours(distance);
    const before = process.cpuUsage();
    for (let i = 0; i < count; i++) {
      const [high, low] = [below(2 ** 32), below(2 ** 32)];
      if (!neighbours.nearest(high, low)) neighbours.add(high, low);
    }
    const { user, system } = process.cpuUsage(before);
    result[`distance ${distance}, CPU s`] = round((user + system) / 1e6);
  }
  return result;
}

function beside(paths: readonly string[], ours: readonly string[]): Record<string, string | number>[] {
  const python = process.env['PAIRMILL_PYTHON'] ?? 'python3';
  const script = 'import sys, imagehash\nfrom PIL import Image\nfor path in sys.stdin.read().split(): print(imagehash.phash(Image.open(path)))';
  try {
    const theirs = execFileSync(python, ['-c', script], { input: paths.join('\n'), encoding: 'utf8' })
      .trim()
      .split('\n');
    const bits = theirs.map((hash, i) => bitsBetween(hash, ours[i]!)).sort((a, b) => a - b);
    return [{ 'bits, median': median(bits), 'bits, 99 %': bits[Math.floor(0.99 * bits.length)]!, 'bits, most': bits.at(-1)! }];
  } catch {
    return [{ 'not measured': `${python} has no imagehash (PAIRMILL_PYTHON names one that has)` }];
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function round(value: number): number {
  return Number(value.toFixed(value < 10 ? 2 : 1));
}
