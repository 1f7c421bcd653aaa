import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadModel } from '../../src/models/load-model.ts';
import { cosine } from '../../src/models/vectors.ts';
import { sharedData } from '../../test/local-paths.ts';

/**
 * Prints how far our vectors are from those that random_models.py wrote into a folder: node clip-parity.ts FOLDER. The multilingual text
 * tower is no model of its own: node clip-parity.ts FOLDER mclip-vit-b-32 CACHE, with both towers under CACHE as the hub has them.
 */
interface Expected {
  texts: string[];
  textVectors: number[][];
  /** Names in clip-golden. */
  pictures: string[];
  pictureVectors: number[][];
}

const [, , folder, model = folder, cacheFolder = folder] = process.argv;
if (folder === undefined || model === undefined || cacheFolder === undefined)
  throw new Error('Which folder? node recipes/test-models/clip-parity.ts FOLDER, with FOLDER as random_models.py wrote it');
const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Expected;
const pictures = await Promise.all(expected.pictures.map((name) => readFile(join(sharedData, 'clip-golden', name))));
for (const precision of ['float32', 'int8'] as const) {
  const encoders = await loadModel(model, { cacheFolder, hubUrl: 'http://127.0.0.1:1', threads: 2, precision });
  report(`${precision} texts`, await encoders.encodeTexts(expected.texts), expected.textVectors);
  report(`${precision} pictures`, await encoders.encodeImages(pictures), expected.pictureVectors);
  await encoders.close();
}

function report(what: string, ours: readonly (Float32Array | Error)[], theirs: readonly number[][]): void {
  const cosines = theirs.map((vector, i) => cosine(vectorOf(ours[i]!), Float32Array.from(vector)));
  const differences = theirs.map((vector, i) => Math.max(...vector.map((value, j) => Math.abs(value - vectorOf(ours[i]!)[j]!))));
  console.log(`${what}: ${theirs.length}, largest difference ${Math.max(...differences)}, smallest cosine ${Math.min(...cosines)}`);
}

function vectorOf(vector: Float32Array | Error): Float32Array {
  if (vector instanceof Error) throw vector;
  return vector;
}
