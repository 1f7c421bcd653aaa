import { dot } from '../../models/vectors.ts';
import { WordLists } from '../../language/word-lists.ts';
import type { NsfwCategories } from './nsfw-categories.ts';

/** LAION's label of a picture. */
export type Nsfw = 'UNLIKELY' | 'UNSURE' | 'NSFW';
/** Why a sample is dropped whatever its similarity. */
export type Unlawful = 'unlawful-underage' | 'unlawful-animal';

export interface NsfwVerdict {
  NSFW: Nsfw;
  unlawful?: Unlawful;
}

/** Vectors of length 1 of texts, in their order. */
export type EncodeTexts = (texts: readonly string[]) => Promise<(Float32Array | Error)[]>;

interface Category {
  label: string;
  prompt: string;
  vector: Float32Array;
}

/** A category with the cosine of picture and prompt. */
interface Ranked extends Category {
  cosine: number;
}

/**
 * Says of pictures, by their embeddings, how likely they are not safe for work, and which must not be kept: zero-shot categories and
 * rules of LAION's filter (crawlingathome gpu_inference.py), with labels by name where that had them by place in a list.
 */
export class NsfwJudge {
  readonly #categories: NsfwCategories;
  readonly #nsfw: readonly Category[];
  readonly #underage: readonly Category[];
  readonly #animal: readonly Category[];
  readonly #words: WordLists;

  private constructor(categories: NsfwCategories, [nsfw, underage, animal]: readonly [Category[], Category[], Category[]]) {
    this.#categories = categories;
    this.#nsfw = nsfw;
    this.#underage = underage;
    this.#animal = animal;
    this.#words = new WordLists(categories.underage.words);
  }

  /** Throws where the model can't encode a prompt. */
  static async make(categories: NsfwCategories, encode: EncodeTexts): Promise<NsfwJudge> {
    const { nsfw, underage, animal } = categories;
    return new NsfwJudge(categories, [
      await encoded({ safe: nsfw.safe, unsafe: nsfw.unsafe }, encode),
      await encoded({ underage: underage.underage, adult: underage.adult }, encode),
      await encoded({ animal: animal.animal, other: animal.other }, encode),
    ]);
  }

  judge(image: Float32Array, { caption, language }: { caption: string; language: string }): NsfwVerdict {
    const NSFW = this.label(image);
    if (NSFW === 'UNLIKELY') return { NSFW };
    if (twoNearest(image, this.#underage).some(({ label }) => label === 'underage') || this.hasUnderageWord(caption, language))
      return { NSFW, unlawful: 'unlawful-underage' };
    if (twoNearest(image, this.#animal)[0].label === 'animal') return { NSFW, unlawful: 'unlawful-animal' };
    return { NSFW };
  }

  /** Of the two nearest prompts, and how far away the nearest of the other kind is. */
  label(image: Float32Array): Nsfw {
    const ranked = nearestFirst(image, this.#nsfw);
    const [first, second] = ranked as [Ranked, Ranked];
    if (first.label !== second.label) return 'UNSURE';
    const other = ranked.find(({ label }) => label !== first.label)!;
    if (first.cosine - other.cosine < this.#categories.nsfw.margin) return 'UNSURE';
    return first.label === 'unsafe' ? 'NSFW' : 'UNLIKELY';
  }

  /** The nearest prompt of each part, with its label. */
  nearest(image: Float32Array): { nsfw: Ranked; underage: Ranked; animal: Ranked } {
    return { nsfw: twoNearest(image, this.#nsfw)[0], underage: twoNearest(image, this.#underage)[0], animal: twoNearest(image, this.#animal)[0] };
  }

  hasUnderageWord(caption: string, language: string): boolean {
    return this.#words.matches(caption, language);
  }
}

async function encoded(lists: Readonly<Record<string, readonly string[]>>, encode: EncodeTexts): Promise<Category[]> {
  const categories = Object.entries(lists).flatMap(([label, prompts]) => prompts.map((prompt) => ({ label, prompt })));
  const vectors = await encode(categories.map(({ prompt }) => prompt));
  return categories.map((category, i) => {
    const vector = vectors[i]!;
    if (vector instanceof Error)
      throw new Error(`the model can't encode the category ${JSON.stringify(category.prompt)}: ${vector.message}`, { cause: vector });
    return { ...category, vector };
  });
}

/** By cosine; of equal ones the first in the file. */
function nearestFirst(image: Float32Array, categories: readonly Category[]): Ranked[] {
  return categories.map((category) => ({ ...category, cosine: dot(image, category.vector) })).sort((a, b) => b.cosine - a.cosine);
}

function twoNearest(image: Float32Array, categories: readonly Category[]): [Ranked, Ranked] {
  return nearestFirst(image, categories).slice(0, 2) as [Ranked, Ranked];
}
