import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../contracts/errors.ts';
import type { IndexDescription } from '../contracts/index-description.ts';
import { openIndex } from '../knn/open-index.ts';
import { loadModel, modelChecksums } from '../models/load-model.ts';
import { modelSettings } from '../models/model-settings.ts';
import type { OpenedBuild } from './current-index.ts';
import type { ServedInput } from './open-input.ts';
import type { ServeOptions } from './options.ts';
import { PictureThread } from './picture-thread.ts';
import { Pictures } from './pictures.ts';
import type { ServedIndex } from './served-index.ts';

/** A model that builds of one index share. */
interface SharedModel {
  readonly encoder: NonNullable<ServedIndex['encoder']> & { close(): Promise<void> };
  users: number;
}

/** A build with its model. */
export interface ModelledBuild extends OpenedBuild {
  readonly model: SharedModel | undefined;
}

/** Opens the build that is there now, with the model of the one before where it is the same. Throws UsageError where the model does not fit the index. */
export async function openBuild(
  input: ServedInput,
  options: ServeOptions,
  environment: Readonly<Record<string, string | undefined>>,
  before: ModelledBuild | undefined,
): Promise<ModelledBuild> {
  const index = await openIndex(await input.index.path());
  let model: SharedModel | undefined;
  try {
    model = await modelOf(index.description, options, before);
    if (model) model.users++;
    const pictures = await Pictures.open(input.pairs, environment);
    const close = async (): Promise<void> => {
      await index.close();
      if (model) await leave(model);
    };
    return { name: input.name, index, encoder: model?.encoder, pictures, model, close };
  } catch (error) {
    await index.close();
    if (model) await leave(model);
    throw error;
  }
}

/** The model that an index was built with: that of the build before, where it is the same. Undefined where nobody says which it is. */
async function modelOf(
  { model: built, dimensions }: IndexDescription,
  options: ServeOptions,
  before: ModelledBuild | undefined,
): Promise<SharedModel | undefined> {
  if (before && isDeepStrictEqual(before.index.description.model, built)) return before.model;
  const model = options.model ?? built.id;
  if (model === '') return undefined;
  assertSameModel(built.sha256, await modelChecksums(model, modelSettings(options)), model);
  const settings = modelSettings(options);
  const encoder = await loadModel(model, settings);
  // Where checksums agree it is the model.
  if (Object.keys(built.sha256).length === 0 && encoder.dimensions !== dimensions) {
    await encoder.close();
    throw new UsageError(
      `The model ${model} makes vectors of ${encoder.dimensions} values, and those of the index have ${dimensions}. Name the model that made them by --model.`,
    );
  }
  // Texts take milliseconds; pictures go to a thread of their own, and the image tower is opened there only.
  const pictures = new PictureThread({ model, settings, maxPixels: options.maxPixels });
  return {
    encoder: {
      id: encoder.id,
      encodeTexts: encoder.encodeTexts,
      encodeImages: (queries) => Promise.all(queries.map((picture) => pictures.encode(picture))),
      async close() {
        await Promise.all([encoder.close(), pictures.close()]);
      },
    },
    users: 0,
  };
}

async function leave(model: SharedModel): Promise<void> {
  if (--model.users === 0) await model.encoder.close();
}

/** Vectors of another model, or of another version of it, have nothing to do with the index's. */
function assertSameModel(indexed: Readonly<Record<string, string>>, loaded: Readonly<Record<string, string>>, model: string): void {
  const byName = new Map(Object.entries(loaded).map(([path, sum]) => [basename(path), sum]));
  const differing = Object.entries(indexed).find(([path, sum]) => byName.has(basename(path)) && byName.get(basename(path)) !== sum);
  if (differing)
    throw new UsageError(
      `The index was built with another ${basename(differing[0])} than that of the model ${model}. Name the model that it was built with by --model, or make embeddings and index again.`,
    );
}
