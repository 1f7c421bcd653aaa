import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Resources } from '../contracts/stage.ts';
import { described, type SharedEncoders } from './load-model.ts';
import { type ModelParts, readModelParts } from './model-parts.ts';
import type { ModelSettings } from './model-settings.ts';
import { openHere, openImageTower, type OpenSession, openTextTower } from './open-tower.ts';
import { openSharedSession } from './sessions/shared-session.ts';

/** A file up to this size (mini's) is loaded by each worker: that is quicker than sending its batches to another thread, and takes little memory. */
const SMALL_BYTES = 32 * 1024 * 1024;

/**
 * The model of an id or a folder for one shard. Its towers are resources that stay for later shards (loading takes longer than
 * a small shard) and are opened when first used: `filter` runs only the text tower of its second model. Models with the same
 * image tower share it, with the pictures that it has encoded lately; so `embed` meets what `filter` has just encoded. Large
 * weights are in memory once for the whole process: their sessions live in threads of their own.
 */
export async function modelFrom(resources: Resources, idOrFolder: string, settings: ModelSettings): Promise<SharedEncoders> {
  const parts = await resources.get<ModelParts & { close?(): unknown }>('model', { model: idOrFolder, ...settings }, () =>
    readModelParts(idOrFolder, settings),
  );
  const { entry, files } = parts;
  const openSession = sessionOpener(resources);
  // Asked for where it is used: that opens it, and keeps it open until this shard has ended.
  const images = () =>
    resources.get('image-tower', { path: files.vision, preprocessing: entry.image.preprocessing, dimensions: entry.dimensions, settings }, () =>
      openImageTower(parts, settings, openSession),
    );
  const texts = () =>
    resources.get('text-tower', { paths: [files.text, files.tokenizer, files.projection ?? null], tower: entry.text, settings }, () =>
      openTextTower(parts, settings, openSession),
    );
  return {
    ...described(parts),
    encodeImages: async (pictures) => (await images()).encode(pictures),
    encodeTexts: async (strings) => (await texts()).encode(strings),
    async open() {
      await Promise.all([images(), texts()]);
    },
    usage: async () => {
      const [image, text] = [(await images()).usage(), (await texts()).usage()];
      return { seconds: image.seconds + text.seconds, threads: Math.max(image.threads, text.threads) };
    },
  };
}

/** Opens sessions of small files in this thread, those of others in the threads that all workers share. */
export function sessionOpener(resources: Resources): OpenSession {
  return async (how) => {
    const small = how.device === 'cpu' && (await stat(how.path)).size <= SMALL_BYTES;
    return small ? openHere(how) : openSharedSession((number) => resources.thread(encoderThread, number), how);
  };
}

// In the published package both files are .js.
const encoderThread = new URL(`./sessions/encoder-thread${extname(import.meta.filename)}`, import.meta.url).href;
