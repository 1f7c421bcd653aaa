import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadModel } from '../../src/models/load-model.ts';

/** Prints how far our vectors are from those that clip_parity.py wrote into the folder. */
const folder = process.argv[2]!;
const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as { texts: string[]; te: number[][]; files: string[]; ie: number[][] };
const model = await loadModel(folder, { cacheFolder: folder, hubUrl: '', threads: 1 });
const worst = (ours: (Float32Array | Error)[], theirs: number[][]): number =>
  Math.max(...theirs.flatMap((row, i) => row.map((value, j) => Math.abs(value - (ours[i] as Float32Array)[j]!))));
console.log('texts', worst(await model.encodeTexts(expected.texts), expected.te));
console.log('pictures', worst(await model.encodeImages(await Promise.all(expected.files.map((file) => readFile(file)))), expected.ie));
await model.close();
