import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, UsageError } from '../../contracts/errors.ts';
import { packageRoot } from '../../contracts/package-root.ts';
import { fileChecksum } from '../../models/files/file-checksum.ts';
import type { ScoreOptions } from './options.ts';

const Prompts = z.array(z.string().trim().min(1)).min(1);

/** The file of --nsfw-categories. What its parts mean stands in the file of the package. */
const NsfwCategories = z.strictObject({
  version: z.literal(1),
  nsfw: z.strictObject({ margin: z.number().min(0).max(1), safe: Prompts.min(2), unsafe: Prompts.min(2) }),
  underage: z.strictObject({
    underage: Prompts,
    adult: Prompts,
    words: z.record(z.string().regex(/^[a-z]{2,3}$/, 'a language is two or three letters'), Prompts),
  }),
  animal: z.strictObject({ animal: Prompts, other: Prompts }),
});
export type NsfwCategories = z.infer<typeof NsfwCategories>;

/** The file that is used where none is given. */
export const packagedCategories = join(packageRoot(), 'models', 'nsfw-categories.yaml');

/** Throws UsageError where the file can't be read, is not as it should be, or has a prompt twice. */
export async function readNsfwCategories(path: string): Promise<NsfwCategories> {
  let categories: NsfwCategories;
  try {
    const parsed = NsfwCategories.safeParse(parse(await readFile(path, 'utf8')));
    if (!parsed.success) throw new Error(parsed.error.issues.map(({ path: at, message }) => `${at.join('.') || 'the file'}: ${message}`).join('; '));
    categories = parsed.data;
  } catch (error) {
    throw new UsageError(`--nsfw-categories: ${path} can't be used: ${messageOf(error)}. models/nsfw-categories.yaml of the package is an example.`, {
      cause: error,
    });
  }
  const { nsfw, underage, animal } = categories;
  for (const [part, lists] of Object.entries({
    nsfw: [nsfw.safe, nsfw.unsafe],
    underage: [underage.underage, underage.adult],
    animal: [animal.animal, animal.other],
  })) {
    const all = lists.flat();
    const twice = all.find((prompt, i) => all.indexOf(prompt) !== i);
    if (twice !== undefined)
      throw new UsageError(`--nsfw-categories: ${path} has the prompt ${JSON.stringify(twice)} twice in ${part}: it would count twice. Remove one.`);
  }
  return categories;
}

/** The file of these options; undefined where nothing is to be judged. mini knows emoji only: to it the categories mean nothing. */
export function categoriesFile({ model, nsfwCategories }: Pick<ScoreOptions, 'model' | 'nsfwCategories'>): string | undefined {
  if (nsfwCategories === 'none') return undefined;
  if (nsfwCategories !== undefined) return resolve(nsfwCategories);
  return model === 'mini' ? undefined : packagedCategories;
}

/** sha256 of the file, for the fingerprint. Throws UsageError where it can't be used. */
export async function categoriesChecksum(path: string): Promise<string> {
  await readNsfwCategories(path);
  return (await fileChecksum(path)).sha256;
}
