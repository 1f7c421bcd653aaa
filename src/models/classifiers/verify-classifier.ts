import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { counted } from '../../contracts/counted.ts';
import { messageOf } from '../../contracts/errors.ts';
import type { FoundClassifier } from './find-classifier.ts';
import { again, check, differs, type ModelCheck, samplePicture, sampleTexts, same } from '../model-check.ts';
import type { ModelSettings, Precision } from '../model-settings.ts';
import { type Classify, openPictureClassifier, openTextClassifier } from './open-classifier.ts';
import type { RecordedScores } from './recorded-scores.ts';

/** Largest difference from a recorded score. Other runtimes differ by 1e-4; eight bits cost more. */
const LARGEST: Record<Precision, number> = { float32: 1e-3, int8: 0.1 };

/** Classifies pictures or texts and says what holds: that there is a score for each label, that none depends on its batch, and that they are those that were recorded. */
export async function verifyClassifier(found: FoundClassifier, recorded: RecordedScores | undefined, settings: ModelSettings): Promise<ModelCheck[]> {
  const { classifier } = found;
  const checks = [filesCheck(found)];
  const { samples, classify, close } = await opened(found, settings);
  try {
    const input = classifier.input.kind === 'pictures' ? `pictures of ${classifier.input.preprocessing.size} px` : 'texts';
    const reads = `it reads ${input} and gives a number for each of its ${counted(classifier.labels, 'labels')} (${classifier.file})`;
    let scores: (Float32Array | Error)[];
    try {
      scores = await classify(samples.slice(0, 3));
    } catch (error) {
      return [...checks, check(`${reads}: ${messageOf(error)}`, false)];
    }
    checks.push(
      check(`${reads}, of which come the columns ${classifier.columns.map(({ name }) => name).join(', ')}`, scores.every(isScore)),
      differs(scores)
        ? check(`different ${classifier.input.kind} have different scores`, true)
        : { verdict: 'unknown', what: `whether it tells ${classifier.input.kind} apart: those that were tried have equal scores` },
      check('a score does not depend on its batch', await independent(samples, classify)),
    );
    return [...checks, ...(await recordedChecks(classifier.input.kind, recorded, classify, LARGEST[settings.precision ?? 'float32']))];
  } finally {
    await close();
  }
}

function filesCheck({ classifier, folder, checksums }: FoundClassifier): ModelCheck {
  const files = counted(Object.keys(checksums).length, 'files');
  if (!('folder' in classifier.source)) return check(`its ${files} are as they were when they came into the cache`, true);
  if (existsSync(join(folder, 'checksums.json'))) return check(`its ${files} are those of its checksums.json`, true);
  return { verdict: 'unknown', what: `whether its ${files} are whole: the folder has no checksums.json (docs/models.md)` };
}

interface Opened {
  /** Of each the last is to be classified alone, and in a batch. */
  samples: (Uint8Array | string)[];
  classify: Classify<Uint8Array | string>;
  close(): Promise<unknown>;
}

async function opened(found: FoundClassifier, settings: ModelSettings): Promise<Opened> {
  if (found.classifier.input.kind === 'texts') {
    const { encode, close } = await openTextClassifier(found, settings);
    return { samples: [...sampleTexts, 'red apples'], classify: (items) => encode(items as string[]), close };
  }
  const { encode, close } = await openPictureClassifier(found, settings);
  return { samples: await Promise.all([1, 2, 3, 4].map(samplePicture)), classify: (items) => encode(items as Uint8Array[]), close };
}

/** The last sample alone, and in a batch. */
async function independent(samples: Opened['samples'], classify: Opened['classify']): Promise<boolean> {
  const last = samples.at(-1)!;
  const alone = (await classify([last]))[0]!;
  const other = typeof last === 'string' ? last : again(last);
  return same(alone, (await classify([...samples.slice(0, 2), other]))[2]!);
}

async function recordedChecks(kind: string, recorded: RecordedScores | undefined, classify: Opened['classify'], largest: number): Promise<ModelCheck[]> {
  if (!recorded)
    return [
      {
        verdict: 'unknown',
        what: 'whether these are the scores that the model should give: none of it are recorded (expected.json in its folder, docs/models.md)',
      },
    ];
  const { items, absent, source } = recorded;
  const checks: ModelCheck[] = [];
  if (items.length > 0) {
    const ours = await classify(items.map(({ item }) => item));
    const difference = Math.max(...items.map(({ scores }, i) => differenceOf(ours[i]!, scores)));
    checks.push(
      check(
        `scores of ${counted(items.length, kind)} ${items.length === 1 ? 'is' : 'are'} what was recorded (${source}): largest difference ${difference.toPrecision(2)}, at most ${largest}`,
        difference <= largest,
      ),
    );
  }
  if (absent > 0)
    checks.push({ verdict: 'unknown', what: `scores of ${counted(absent, 'further pictures')} that are recorded: the pictures are not in the folder` });
  return checks;
}

const isScore = (scores: Float32Array | Error): boolean => !(scores instanceof Error) && scores.every((score) => Number.isFinite(score));

const differenceOf = (ours: Float32Array | Error, theirs: Float32Array): number =>
  ours instanceof Error || ours.length !== theirs.length ? Infinity : Math.max(...theirs.map((score, i) => Math.abs(score - ours[i]!)));
