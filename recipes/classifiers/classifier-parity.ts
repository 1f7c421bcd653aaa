import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findClassifier } from '../../src/models/find-classifier.ts';
import { openPictureClassifier, openTextClassifier } from '../../src/models/open-classifier.ts';
import { sharedData } from '../../test/local-paths.ts';

/** Prints how far our scores are from those in the expected.json of a folder that watermark.py or text.py wrote: node classifier-parity.ts FOLDER */
interface Expected {
  texts?: string[];
  /** Names in clip-golden. */
  pictures?: string[];
  scores: number[][];
}

const [, , folder] = process.argv;
if (folder === undefined) throw new Error('Which folder? node recipes/classifiers/classifier-parity.ts FOLDER');
const settings = { cacheFolder: folder, hubUrl: 'http://127.0.0.1:1', threads: 2 };
const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Expected;
const scores = expected.texts ? await textScores(expected.texts) : await pictureScores(expected.pictures ?? []);
const differences = expected.scores.map((theirs, i) => Math.max(...theirs.map((score, j) => Math.abs(score - scoreOf(scores[i])[j]!))));
console.log(`${differences.length} items, largest difference of a score: ${Math.max(...differences)}`);

async function textScores(texts: string[]): Promise<(Float32Array | Error)[]> {
  const model = await openTextClassifier(await findClassifier(folder!, 'texts', settings), settings);
  const scores = await model.encode(texts);
  await model.close();
  return scores;
}

async function pictureScores(names: string[]): Promise<(Float32Array | Error)[]> {
  const model = await openPictureClassifier(await findClassifier(folder!, 'pictures', settings), settings);
  const scores = await model.encode(await Promise.all(names.map((name) => readFile(join(sharedData, 'clip-golden', name)))));
  await model.close();
  return scores;
}

function scoreOf(scores: Float32Array | Error | undefined): Float32Array {
  if (!(scores instanceof Float32Array)) throw scores ?? new Error('no scores');
  return scores;
}
