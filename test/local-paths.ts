import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'vitest';

/**
 * What tests, benches and recipes use where it is, and no clone holds. Recipes in Python read the same settings in
 * recipes/local_paths.py.
 */
const setting = (name: string, ...fallback: [string, ...string[]]): string => resolve(process.env[name] || join(...fallback));

/** Real data of others: crawl files, captions, CLIP's vectors, LAION's heads. */
export const sharedData = setting('PAIRMILL_SHARED_DATA', import.meta.dirname, '../../shared/data');

/** Python environments of the tools that Pairmill is compared with: `image` (img2dataset, clip-retrieval, open_clip) and `crawl` (cc2dataset). */
export const peers = setting('PAIRMILL_PEERS', tmpdir(), 'pairmill-peers');

/** WATs that bench/extract/make-wats.sh made of the crawl files in `sharedData`. */
export const realWats = setting('PAIRMILL_REAL_WATS', tmpdir(), 'real-wats');

/** The labelled texts that bench/language/data.sh gets. */
export const languageTexts = setting('PAIRMILL_LANGUAGE_TEXTS', tmpdir(), 'pairmill-language');

/** Pictures that recipes/photographs/get.sh made. */
export const photographs = setting('PAIRMILL_PHOTOGRAPHS', import.meta.dirname, '../.cache/photographs');

/** Where a Python with the modules that a test or bench wants is looked for. */
export const pythons: readonly string[] = [
  ...(process.env['PAIRMILL_PYTHON'] ? [process.env['PAIRMILL_PYTHON']] : []),
  join(peers, 'image/bin/python'),
  join(peers, 'crawl/bin/python'),
  'python3',
];

/** A path in test/fixtures or, where that lacks it, under `sharedData`; the test is skipped, saying so, where both do. */
export function requireSharedData(context: TestContext, path: string): string {
  const shipped = join(import.meta.dirname, 'fixtures', path);
  if (existsSync(shipped)) return shipped;
  const full = join(sharedData, path);
  if (!existsSync(full)) context.skip(`${full} is not here (PAIRMILL_SHARED_DATA names the folder)`);
  return full;
}
