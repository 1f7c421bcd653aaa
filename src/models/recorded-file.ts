import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../contracts/package-root.ts';
import { UsageError } from '../contracts/errors.ts';

/** What is said of values that a model's folder brings. */
export const OWN = 'expected.json of its folder';

/** The folder of reference pictures in the package. */
export const references = (): string => join(packageRoot(), 'models', 'references');

/** A JSON file of recorded values; undefined where there is none. Throws UsageError where it is not understood. */
export async function readRecorded<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : String(error);
    throw new UsageError(`${path} holds no recorded values that are understood: ${why}. Remove the file, or mend it: docs/models.md says what it holds.`);
  }
}

/** The pictures of these names that lie in the folder or in the package, each with its place in the list. */
export async function recordedPictures(folder: string, names: readonly string[]): Promise<{ picture: Uint8Array; at: number }[]> {
  const found: { picture: Uint8Array; at: number }[] = [];
  for (const [at, name] of names.entries()) {
    const picture = await firstOf([join(folder, name), join(references(), name)]);
    if (picture) found.push({ picture, at });
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
