import { findModel } from './find-model.ts';
import { inPrecision } from './in-precision.ts';
import type { ModelEntry, Thresholds } from './model-entry.ts';
import { modelFiles } from './model-files.ts';
import { type ModelParts, readModelParts } from './model-parts.ts';
import type { ModelSettings } from './model-settings.ts';
import { type EncoderUsage, openHere, openImageTower, openTextTower } from './open-tower.ts';

/** A model: pictures and texts to vectors of length 1 in one space, so that their dot product is their cosine. */
export interface Encoders {
  readonly id: string;
  readonly dimensions: number;
  readonly thresholds: Thresholds | undefined;
  /** Name under which heads know the image tower. */
  readonly headsFor: string;
  /** A vector, or an Error in its place where a picture can't be decoded. Does not depend on what else is encoded. */
  encodeImages(pictures: readonly Uint8Array[]): Promise<(Float32Array | Error)[]>;
  encodeTexts(texts: readonly string[]): Promise<(Float32Array | Error)[]>;
}

/** Those that stages share. */
export interface SharedEncoders extends Encoders {
  /** Loads both towers, which are else loaded when they are first used. */
  open(): Promise<void>;
  /** What they have computed for this worker since it opened them. */
  usage(): Promise<EncoderUsage>;
}

/** One that its user closes. */
export interface DualEncoder extends Encoders {
  close(): Promise<void>;
}

/**
 * Loads the model of an id or of a local folder; downloads it on first use. Throws UsageError for a model that does not
 * exist, RunError for a file that can't be had or is damaged. It computes in this thread; stages share models: `modelFrom`.
 */
export async function loadModel(idOrFolder: string, settings: ModelSettings): Promise<DualEncoder> {
  const parts = await readModelParts(idOrFolder, settings);
  // Opened when first used: `serve` may see no picture.
  const images = lazily(() => openImageTower(parts, settings, openHere));
  const texts = lazily(() => openTextTower(parts, settings, openHere));
  return {
    ...described(parts),
    encodeImages: async (pictures) => (await images.get()).encode(pictures),
    encodeTexts: async (strings) => (await texts.get()).encode(strings),
    async close() {
      await Promise.all([images.close(), texts.close()]);
    },
  };
}

/** What a model says of itself. */
export function described({ entry }: ModelParts): Pick<Encoders, 'id' | 'dimensions' | 'thresholds' | 'headsFor'> {
  return { id: entry.id, dimensions: entry.dimensions, thresholds: entry.thresholds, headsFor: entry.headsFor };
}

/**
 * sha256 of each file that `loadModel` would read of some models, by `MODEL/FILE`; downloads what is not here. Where that fails, the message
 * names what all of them lack.
 */
export async function modelChecksums(names: string | readonly string[], settings: ModelSettings): Promise<Record<string, string>> {
  const entries: ModelEntry[] = [];
  for (const name of new Set([names].flat())) entries.push(inPrecision(await findModel(name, settings), settings.precision));
  const checksums: Record<string, string> = {};
  for (const entry of entries) Object.assign(checksums, (await modelFiles(entry, settings, undefined, entries)).checksums);
  return checksums;
}

function lazily<T extends { close(): Promise<void> }>(make: () => Promise<T>): { get(): Promise<T>; close(): Promise<void> } {
  let made: Promise<T> | undefined;
  return {
    get: () => (made ??= make()),
    close: async () => {
      const [opened] = await Promise.allSettled([made]);
      if (opened.status === 'fulfilled') await opened.value?.close();
    },
  };
}
