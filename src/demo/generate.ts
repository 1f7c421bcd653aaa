// The generator: plans the web, renders its pictures, writes its crawl, and last the marker that says it is whole.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readEmojiSet } from './emoji-set.ts';
import { hosts } from './hosts.ts';
import { kinds } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { manifestLinksName, manifestName, readManifest } from './manifest.ts';
import type { EmojiWebManifest, ManifestLink } from './manifest.ts';
import type { PlannedPage } from './plan-pages.ts';
import { planWeb } from './plan-web.ts';
import type { WebSize } from './plan-web.ts';
import { renderAll } from './render-all.ts';
import { routesName } from './routes.ts';
import type { Route } from './routes.ts';
import { linkLanguage } from './web-plan.ts';
import { makeCrawlFile } from './write-crawl.ts';

export interface EmojiWebOptions {
  folder: string;
  seed?: number;
  /** Right-captioned links, each with a URL of its own; every other kind comes on top, in proportion. */
  candidates?: number;
  /** Distinct rendered pictures. */
  pictures?: number;
  crawlFiles?: number;
  onProgress?: (done: number, total: number) => void;
}

/** Raised when the same options give other bytes than before, so that an older folder is made again. */
const generation = 2;

const markerName = 'complete.json';

/** All that this generator writes, and so all that it may remove. */
const ownNames = [markerName, manifestName, manifestLinksName, routesName, 'wat', 'warc', 'pictures'];

function sizeOf({ seed = 1, candidates = 20_000, pictures, crawlFiles = 8 }: EmojiWebOptions): WebSize {
  const size = { seed, candidates, pictures: pictures ?? Math.max(40, Math.min(2600, Math.ceil(candidates / 4))), crawlFiles };
  for (const [name, value] of Object.entries(size)) {
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${name} of the example crawl is a whole number above 0, not ${value}`);
  }
  return size;
}

async function isComplete(folder: string, marker: string): Promise<boolean> {
  try {
    return (await readFile(join(folder, markerName), 'utf8')) === marker;
  } catch {
    return false;
  }
}

function robotsRoutes(): Route[] {
  return hosts.map(({ name, robots }) => {
    const url = `http://${name}/robots.txt`;
    return robots === null ? { url, answer: 'status', status: 404 } : { url, answer: 'text', ...robots };
  });
}

function linksOf(page: PlannedPage, urls: string[], crawlFile: string): ManifestLink[] {
  return page.links.map((link, at) => ({
    url: urls[at] ?? '',
    text: link.alt ?? '',
    kind: link.kind,
    language: linkLanguage(link),
    locale: link.locale,
    emoji: link.emoji,
    ...(link.textEmoji === undefined ? {} : { text_emoji: link.textEmoji }),
    ...(link.repaired === undefined ? {} : { repaired: link.repaired }),
    picture: link.picture,
    page_url: page.url,
    crawl_file: crawlFile,
  }));
}

function jsonLines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

function tally(keys: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** Writes wat/ and warc/; gives back the links and the pages' routes. */
async function writeCrawl(folder: string, files: PlannedPage[][], seed: number): Promise<{ links: ManifestLink[]; routes: Route[]; names: string[] }> {
  const links: ManifestLink[] = [];
  const routes: Route[] = [];
  const names: string[] = [];
  for (const [index, pages] of files.entries()) {
    const name = String(index).padStart(5, '0');
    const made = makeCrawlFile(name, index, pages, seed);
    await writeFile(join(folder, 'warc', `${name}.warc.gz`), made.warc);
    await writeFile(join(folder, 'wat', `${name}.warc.wat.gz`), made.wat);
    names.push(name);
    for (const [at, page] of pages.entries()) {
      const { url, offset, length, urls } = made.pages[at] as (typeof made.pages)[number];
      routes.push({ url: new URL(url).href, answer: 'page', warc: `${name}.warc.gz`, offset, length });
      links.push(...linksOf(page, urls, `${name}.warc.wat.gz`));
    }
  }
  return { links, routes, names };
}

/** Makes the web in `folder`; a folder that is complete, and made with the same options, is left as it is. */
export async function generateEmojiWeb(options: EmojiWebOptions): Promise<EmojiWebManifest> {
  const { folder, onProgress } = options;
  const size = sizeOf(options);
  const marker = `${JSON.stringify({ generation, ...size })}\n`;
  if (await isComplete(folder, marker)) return readManifest(folder);

  for (const name of ownNames) await rm(join(folder, name), { recursive: true, force: true });
  for (const name of ['wat', 'warc', 'pictures']) await mkdir(join(folder, name), { recursive: true });

  const { web, files } = planWeb(await readEmojiSet(), size);
  await renderAll(join(folder, 'pictures'), web, onProgress);
  const { links, routes, names } = await writeCrawl(folder, files, size.seed);

  const counts = tally(links.map(({ kind }) => kind));
  const right = links.filter(({ kind }) => kind === 'right');
  const manifest: EmojiWebManifest = {
    seed: size.seed,
    options: size,
    counts: Object.fromEntries(kinds.map((kind) => [kind, counts.get(kind) ?? 0])) as Record<Kind, number>,
    links: links.length,
    pages: routes.length,
    pictures: web.pictures.length,
    hosts: hosts.map(({ name }) => name),
    languages: Object.fromEntries([...tally(right.map(({ language }) => language ?? ''))].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    wat: names.map((name) => `wat/${name}.warc.wat.gz`),
    warc: names.map((name) => `warc/${name}.warc.gz`),
  };
  await writeFile(join(folder, routesName), jsonLines([...robotsRoutes(), ...web.routes, ...routes]));
  await writeFile(join(folder, manifestLinksName), jsonLines(links));
  await writeFile(join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(join(folder, markerName), marker);
  return manifest;
}
