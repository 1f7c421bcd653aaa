import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadModel } from '../../src/models/load-model.ts';

/** Prints how far our vectors are from those that clip_parity.py wrote into the folder: node clip-parity.ts FOLDER */
interface Expected {
  texts: string[];
  textVectors: number[][];
  /** Paths. */
  pictures: string[];
  pictureVectors: number[][];
}

const folder = process.argv[2];
if (folder === undefined) throw new Error('Which folder? node recipes/test-models/clip-parity.ts FOLDER, with FOLDER as clip_parity.py wrote it');
const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Expected;
const model = await loadModel(folder, { cacheFolder: folder, hubUrl: '', threads: 1 });
console.log('texts', largestDifference(await model.encodeTexts(expected.texts), expected.textVectors));
const pictures = await Promise.all(expected.pictures.map((path) => readFile(path)));
console.log('pictures', largestDifference(await model.encodeImages(pictures), expected.pictureVectors));
await model.close();

function largestDifference(ours: readonly (Float32Array | Error)[], theirs: readonly number[][]): number {
  return Math.max(...theirs.map((vector, i) => difference(ours[i]!, vector)));
}

function difference(ours: Float32Array | Error, theirs: readonly number[]): number {
  if (ours instanceof Error) throw ours;
  return Math.max(...theirs.map((value, i) => Math.abs(value - ours[i]!)));
}
