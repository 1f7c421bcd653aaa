import { readColumnGroups } from '../../formats/parquet-column-groups.ts';
import { encodeAhead } from '../../models/encode-ahead.ts';
import type { FoundClassifier } from '../../models/classifiers/find-classifier.ts';
import type { Classify } from '../../models/classifiers/open-classifier.ts';
import { textClassifier } from '../../models/classifiers/shared-classifiers.ts';
import type { Classifying } from './score-pictures.ts';
import type { ScoredColumns } from './scored-columns.ts';

/** Scores the captions of a part, which its metadata holds. */
export async function scoreCaptions(metadata: string, classifiers: readonly FoundClassifier[], scored: ScoredColumns, how: Classifying): Promise<void> {
  const classify: { by: FoundClassifier; of: Classify<string> }[] = [];
  for (const by of classifiers) classify.push({ by, of: await textClassifier(how.resources, by, how.settings) });
  const encode = (batch: readonly string[]) => Promise.all(classify.map(({ of }) => of(batch)));
  let row = 0;
  for await (const { batch, encoded } of encodeAhead(captionsOf(metadata), how.batchSize, encode)) {
    how.signal.throwIfAborted();
    for (const i of batch.keys())
      scored.set(
        row++,
        classify.map(({ by }, at) => ({ by, values: encoded[at]![i]! })),
        'text-failed',
      );
  }
}

async function* captionsOf(metadata: string): AsyncGenerator<string> {
  for await (const { rows, columns } of readColumnGroups(metadata, ['caption'], 'text')) {
    const captions = columns.get('caption')!;
    for (let i = 0; i < rows; i++) yield String(captions[i] ?? '');
  }
}
