import { dirname, join } from 'node:path';
import { z } from 'zod';
import { OWN, readRecorded, recordedPictures, references } from './recorded-file.ts';
import { placeOf } from './files/file-places.ts';
import type { ModelEntry } from './model-entry.ts';
import type { HubSettings } from './model-settings.ts';

/** What a model's own authors' code made of pictures and texts. */
export interface RecordedVectors {
  /** Where they are from. */
  source: string;
  pictures: { picture: Uint8Array; vector: Float32Array }[];
  texts: { text: string; vector: Float32Array }[];
}

const Recorded = z.object({
  source: z.string().default(OWN),
  texts: z.array(z.string()).default([]),
  textVectors: z.array(z.array(z.number())).default([]),
  pictures: z.array(z.string()).default([]),
  pictureVectors: z.array(z.array(z.number())).default([]),
});

/**
 * Those that the model's folder brings, of the hub that in the cache (expected.json, as recipes/test-models writes it), else those in the package for its picture
 * tower: OpenAI's ViT-B/32. Undefined where there are none.
 */
export async function recordedVectors({ image, headsFor }: ModelEntry, settings: HubSettings): Promise<RecordedVectors | undefined> {
  const own = await read(placeOf(image.source, 'expected.json', settings).path);
  return own ?? read(join(references(), `${headsFor.replaceAll('/', '-')}.json`));
}

async function read(path: string): Promise<RecordedVectors | undefined> {
  const recorded = await readRecorded(path, Recorded);
  if (!recorded) return undefined;
  const { source, texts, textVectors, pictures, pictureVectors } = recorded;
  const found = await recordedPictures(dirname(path), pictures);
  return {
    source,
    pictures: found.map(({ picture, at }) => ({ picture, vector: Float32Array.from(pictureVectors[at]!) })),
    texts: texts.map((text, i) => ({ text, vector: Float32Array.from(textVectors[i]!) })),
  };
}
