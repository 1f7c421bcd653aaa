import { RunError } from '../../contracts/errors.ts';
import { type Classifier, scoresOf } from './classifier.ts';
import type { FoundClassifier } from './find-classifier.ts';
import type { Reading } from '../image-encoder.ts';
import type { ModelSettings } from '../model-settings.ts';
import { openHere, type OpenSession, sessionSettings, type Tower, towerOf } from '../open-tower.ts';
import { withoutRepeats } from '../repeated-pictures.ts';
import { readTokenizer } from '../tokenizers/tokenizer.ts';

/** Scores of the columns of a classifier for each item; an Error in its place where it can't be decoded or tokenised. */
export type Classify<Item> = (items: readonly Item[]) => Promise<(Float32Array | Error)[]>;

/** Opens the session of a classifier of pictures, in this thread where nothing else is given. */
export async function openPictureClassifier(
  { classifier, path }: FoundClassifier,
  settings: ModelSettings,
  openSession: OpenSession = openHere,
): Promise<Tower<Classify<Uint8Array>>> {
  const { input, labels, columns } = classifier;
  if (input.kind !== 'pictures') throw new RunError(`${classifier.id} classifies ${input.kind}.`);
  // The code is loaded here, with sharp: all worker threads have this file, and few classify.
  const { imageEncoder } = await import('../image-encoder.ts');
  const { size } = input.preprocessing;
  const session = await openSession(sessionSettings(path, [3, size, size], settings));
  return towerOf(withoutRepeats(imageEncoder(session, input.preprocessing, labels, readingOf(classifier)), columns.length), session);
}

/** The same of captions. */
export async function openTextClassifier(
  { classifier, path, tokenizer }: FoundClassifier,
  settings: ModelSettings,
  openSession: OpenSession = openHere,
): Promise<Tower<Classify<string>>> {
  const { input, labels } = classifier;
  if (input.kind !== 'texts' || tokenizer === undefined) throw new RunError(`${classifier.id} classifies ${input.kind}.`);
  const { textEncoder } = await import('../text-encoder.ts');
  const tokenize = await readTokenizer(tokenizer, input.tower);
  const session = await openSession(sessionSettings(path, [input.tower.maxTokens], settings));
  return towerOf(textEncoder(session, tokenize, input.tower, labels, undefined, readingOf(classifier)), session);
}

function readingOf(classifier: Classifier): Reading {
  return { outputs: ['logits', 'probabilities', 'output'], finish: (row) => scoresOf(classifier, row) };
}
