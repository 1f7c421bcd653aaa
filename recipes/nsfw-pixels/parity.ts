import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import sharp from 'sharp';
import { findClassifier } from '../../src/models/classifiers/find-classifier.ts';
import { openPictureClassifier } from '../../src/models/classifiers/open-classifier.ts';

/**
 * Compares the scores of models/nsfw-pixels with those of nsfwjs on TensorFlow.js: node parity.ts PICTURE…, after npm ci in this folder.
 * Both get the same pixels, in the picture's own size. Prints the largest difference, or with --json nsfwjs' scores, and ends with 1 where
 * the difference is above 1e-4.
 */
const LARGEST = 1e-4;

interface Tensor {
  data(): Promise<Float32Array>;
}
interface Runtime {
  setBackend(name: string): Promise<boolean>;
  tensor3d(values: Uint8Array, shape: number[], type: 'int32'): Tensor;
}
interface Nsfwjs {
  load(model: string): Promise<{ infer(picture: Tensor): Tensor }>;
}

const packages = createRequire(import.meta.url);
const runtime = packages('@tensorflow/tfjs') as Runtime;
await runtime.setBackend('cpu');
const theirs = await (packages('nsfwjs') as Nsfwjs).load('MobileNetV2');
const settings = { cacheFolder: '', hubUrl: '' };
const ours = await openPictureClassifier(await findClassifier('nsfw_pixels', 'pictures', settings), settings);

const paths = process.argv.slice(2).filter((path) => path !== '--json');
const expected: Record<string, number[]> = {};
let largest = 0;
for (const path of paths) {
  const { data, info } = await sharp(await readFile(path))
    .flatten({ background: '#fff' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const png = await sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } })
    .png()
    .toBuffer();
  const [scores] = await ours.encode([png]);
  if (scores instanceof Error || scores === undefined) throw new Error(`${path}: ${String(scores)}`);
  const reference = await theirs.infer(runtime.tensor3d(data, [info.height, info.width, 3], 'int32')).data();
  expected[basename(path)] = [...reference];
  for (const [i, score] of scores.entries()) largest = Math.max(largest, Math.abs(score - reference[i]!));
}
if (process.argv.includes('--json')) console.log(JSON.stringify(expected));
else console.log(`${paths.length} pictures, largest difference of a score: ${largest}`);
process.exitCode = largest <= LARGEST ? 0 : 1;
