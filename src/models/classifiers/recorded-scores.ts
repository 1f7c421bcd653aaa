import { join } from 'node:path';
import { z } from 'zod';
import type { FoundClassifier } from './find-classifier.ts';
import { OWN, readRecorded, recordedPictures } from '../recorded-file.ts';

/** What the code of a classifier's origin said of pictures or texts: the scores of its columns. */
export interface RecordedScores {
  /** Where they are from. */
  source: string;
  items: { item: Uint8Array | string; scores: Float32Array }[];
  /** Pictures that are not here. */
  absent: number;
}

const Recorded = z.object({
  source: z.string().default(OWN),
  texts: z.array(z.string()).default([]),
  pictures: z.array(z.string()).default([]),
  scores: z.array(z.array(z.number())),
});

/** Those that its folder brings (expected.json, as recipes/classifiers writes it). Undefined where there are none. */
export async function recordedScores({ classifier, folder }: FoundClassifier): Promise<RecordedScores | undefined> {
  const recorded = await readRecorded(join(folder, 'expected.json'), Recorded);
  if (!recorded) return undefined;
  const { source, texts, pictures, scores } = recorded;
  const scoresAt = (at: number): Float32Array => Float32Array.from(scores[at] ?? []);
  if (classifier.input.kind === 'texts') return { source, items: texts.map((item, at) => ({ item, scores: scoresAt(at) })), absent: 0 };
  const found = await recordedPictures(folder, pictures);
  return { source, items: found.map(({ picture, at }) => ({ item: picture, scores: scoresAt(at) })), absent: pictures.length - found.length };
}
