import type { Resources } from '../contracts/stage.ts';
import { described, type Encoders } from './load-model.ts';
import { type ModelParts, readModelParts } from './model-parts.ts';
import type { ModelSettings } from './model-settings.ts';
import { openImageTower, openTextTower } from './open-tower.ts';

/**
 * The model of an id or a folder for one shard. Its towers are resources that stay for later shards (loading takes longer than
 * a small shard) and are opened when first used: `filter` runs only the text tower of its second model. Models with the same
 * image tower share it, with the pictures that it has encoded lately; so `embed` meets what `filter` has just encoded.
 */
export async function modelFrom(resources: Resources, idOrFolder: string, settings: ModelSettings): Promise<Encoders> {
  const parts = await resources.get<ModelParts & { close?(): unknown }>('model', { model: idOrFolder, ...settings }, () =>
    readModelParts(idOrFolder, settings),
  );
  const { entry, files } = parts;
  const { threads } = settings;
  // Asked for where it is used: that opens it, and keeps it open until this shard has ended.
  const images = () =>
    resources.get('image-tower', { path: files.vision, preprocessing: entry.image.preprocessing, dimensions: entry.dimensions, threads }, () =>
      openImageTower(parts, threads),
    );
  const texts = () =>
    resources.get('text-tower', { paths: [files.text, files.tokenizer, files.projection ?? null], tower: entry.text, threads }, () =>
      openTextTower(parts, threads),
    );
  return {
    ...described(parts),
    encodeImages: async (pictures) => (await images()).encode(pictures),
    encodeTexts: async (strings) => (await texts()).encode(strings),
  };
}
