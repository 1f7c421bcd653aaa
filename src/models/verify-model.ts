import type { DualEncoder } from './load-model.ts';
import { again, check, differs, type ModelCheck, samplePicture, sampleTexts, same } from './model-check.ts';
import type { ModelEntry } from './model-entry.ts';
import type { Precision } from './model-settings.ts';
import type { RecordedVectors } from './recorded-vectors.ts';
import { cosine } from './vectors.ts';

/** Cosine with a recorded vector; float16 as they were recorded costs 1e-6. */
const LEAST_COSINE: Record<Precision, number> = { float32: 0.999, int8: 0.99 };

/** Encodes pictures and texts and says what holds: that vectors are there, do not depend on their batch, and are those that were recorded. */
export async function verifyModel(
  model: DualEncoder,
  entry: ModelEntry,
  recorded: RecordedVectors | undefined,
  precision: Precision = 'float32',
): Promise<ModelCheck[]> {
  const least = LEAST_COSINE[precision];
  const samples = await Promise.all([1, 2, 3].map(samplePicture));
  const [pictures, sentences] = [await model.encodeImages(samples), await model.encodeTexts(sampleTexts)];
  const last = await samplePicture(4);
  const [picture] = await model.encodeImages([last]);
  const [inBatch] = (await model.encodeImages([await samplePicture(5), await samplePicture(6), again(last)])).slice(2);
  const [text] = await model.encodeTexts(sampleTexts.slice(1, 2));
  const checks: ModelCheck[] = [
    check(`the picture tower gives ${entry.dimensions} numbers of length 1 (${entry.image.file})`, pictures.every(isUnit)),
    check(`the text tower gives ${entry.dimensions} numbers of length 1 (${entry.text.file})`, sentences.every(isUnit)),
    check('different pictures have different vectors, and so have texts', differs(pictures) && differs(sentences)),
    check('a vector does not depend on its batch', same(picture!, inBatch!) && same(text!, sentences[1]!)),
  ];
  if (!recorded || recorded.pictures.length + recorded.texts.length === 0) {
    checks.push({
      verdict: 'unknown',
      what: 'whether these are the vectors that the model should give: no embeddings of it are recorded (expected.json in its folder, docs/models.md)',
    });
    return checks;
  }
  const of = [
    { what: 'pictures', list: recorded.pictures, ours: await model.encodeImages(recorded.pictures.map(({ picture }) => picture)) },
    { what: 'texts', list: recorded.texts, ours: await model.encodeTexts(recorded.texts.map(({ text }) => text)) },
  ];
  for (const { what, list, ours } of of) {
    if (list.length === 0) checks.push({ verdict: 'unknown', what: `vectors of ${what}: none are recorded` });
    else {
      const smallest = Math.min(...list.map(({ vector }, i) => cosineOf(ours[i]!, vector)));
      checks.push(
        check(
          `vectors of ${list.length} ${what} are those recorded (${recorded.source}): smallest cosine ${smallest.toFixed(6)}, at least ${least}`,
          smallest >= least,
        ),
      );
    }
  }
  return checks;
}

const cosineOf = (ours: Float32Array | Error, theirs: Float32Array): number =>
  ours instanceof Error || ours.length !== theirs.length ? -1 : cosine(ours, theirs);

const isUnit = (vector: Float32Array | Error): boolean => !(vector instanceof Error) && Math.abs(cosine(vector, vector) - 1) < 1e-4;
