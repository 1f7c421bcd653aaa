import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../contracts/package-root.ts';
import type { ModelEntry } from './model-entry.ts';

/** What a model's own authors' code made of pictures and texts. */
export interface RecordedVectors {
  /** Where they are from. */
  source: string;
  pictures: { picture: Uint8Array; vector: Float32Array }[];
  texts: { text: string; vector: Float32Array }[];
}

const Recorded = z.object({
  source: z.string().default('expected.json of its folder'),
  texts: z.array(z.string()).default([]),
  textVectors: z.array(z.array(z.number())).default([]),
  pictures: z.array(z.string()).default([]),
  pictureVectors: z.array(z.array(z.number())).default([]),
});

/**
 * Those that the model's folder brings (expected.json, as recipes/test-models writes it), else those in the package for its picture
 * tower: OpenAI's ViT-B/32. Undefined where there are none.
 */
export async function recordedVectors({ image, headsFor }: ModelEntry): Promise<RecordedVectors | undefined> {
  const references = join(packageRoot(), 'models', 'references');
  const own = 'folder' in image.source ? await read(join(image.source.folder, 'expected.json'), [image.source.folder, references]) : undefined;
  return own ?? read(join(references, `${headsFor.replaceAll('/', '-')}.json`), [references]);
}

/** Pictures that lie in none of the folders are left out. */
async function read(path: string, folders: readonly string[]): Promise<RecordedVectors | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
  const { source, texts, textVectors, pictures, pictureVectors } = Recorded.parse(JSON.parse(text));
  const found: RecordedVectors = { source, pictures: [], texts: texts.map((each, i) => ({ text: each, vector: Float32Array.from(textVectors[i]!) })) };
  for (const [i, name] of pictures.entries()) {
    const picture = await firstOf(folders.map((folder) => join(folder, name)));
    if (picture) found.pictures.push({ picture, vector: Float32Array.from(pictureVectors[i]!) });
  }
  return found;
}

async function firstOf(paths: readonly string[]): Promise<Uint8Array | undefined> {
  for (const path of paths) {
    try {
      return await readFile(path);
    } catch {
      // The next one.
    }
  }
  return undefined;
}
