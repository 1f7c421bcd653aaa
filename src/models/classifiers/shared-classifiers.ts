import type { Resources } from '../../contracts/stage.ts';
import type { ClassifierInput } from './classifier.ts';
import { findClassifier, type FoundClassifier, optionOf } from './find-classifier.ts';
import type { ModelSettings } from '../model-settings.ts';
import { type Classify, openPictureClassifier, openTextClassifier } from './open-classifier.ts';
import { sessionOpener } from '../shared-models.ts';
import { claimColumn } from '../tag-column.ts';

/** The classifiers of these names, their files brought here. Throws UsageError where two of them, or one and a column of `taken`, have the same name. */
export async function findClassifiers(
  names: readonly string[],
  kind: ClassifierInput['kind'],
  settings: ModelSettings,
  taken: Set<string>,
): Promise<FoundClassifier[]> {
  const found: FoundClassifier[] = [];
  for (const name of names) {
    const each = await findClassifier(name, kind, settings);
    for (const column of each.classifier.columns)
      claimColumn(taken, column.name, { what: `The model ${name}`, ofLaion: each.classifier.ofLaion, leaveOut: optionOf[kind] });
    found.push(each);
  }
  return found;
}

/** A classifier for one shard, kept for later ones; large weights are in memory once for the whole process. */
export async function pictureClassifier(resources: Resources, found: FoundClassifier, settings: ModelSettings): Promise<Classify<Uint8Array>> {
  const { encode } = await resources.get('picture-classifier', keyOf(found, settings), () => openPictureClassifier(found, settings, sessionOpener(resources)));
  return encode;
}

export async function textClassifier(resources: Resources, found: FoundClassifier, settings: ModelSettings): Promise<Classify<string>> {
  const { encode } = await resources.get('text-classifier', keyOf(found, settings), () => openTextClassifier(found, settings, sessionOpener(resources)));
  return encode;
}

const keyOf = ({ path, checksums }: FoundClassifier, settings: ModelSettings) => ({ path, checksums, settings });
