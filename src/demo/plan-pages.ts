// Which links stand on which page, and which page in which crawl file.

import { harmless, type PageSays, refusing } from './plan-opt-outs.ts';
import { countOf } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { randomFrom } from './random.ts';
import type { Random } from './random.ts';
import { homeHosts, pickSubject } from './web-plan.ts';
import type { PlannedLink, WebPlan } from './web-plan.ts';

export interface PlannedPage extends PageSays {
  url: string;
  locale: string;
  /** As written in `<base href>`. */
  base: string | null;
  /** A licence that the page links to. */
  licence: string | null;
  links: PlannedLink[];
}

const licences = [
  'https://creativecommons.org/licenses/by/4.0/',
  'http://creativecommons.org/licenses/by-sa/3.0/',
  'https://creativecommons.org/licenses/by-nc-nd/2.0/de/',
  'https://creativecommons.org/publicdomain/zero/1.0/',
];

function pickBase(random: Random, ownHost: string, otherHost: string): string | null {
  if (random.chance(0.82)) return null;
  return random.pick([`http://${otherHost}/`, `http://${otherHost}/img/`, `http://${ownHost}/assets/`, '/', '/img/', `//${otherHost}/uploads/`]);
}

function planPage(web: WebPlan, locale: string, links: PlannedLink[], id: number): PlannedPage {
  const random = randomFrom(web.seed, 'page', id);
  const home = homeHosts(web, locale);
  const host = random.pick(home);
  const path = random.pick([`/${locale}/${id}.html`, `/${locale}/gallery/${id}/`, `/${id}`, `/${locale}/${random.integer(2015, 2024)}/page.php?p=${id}`]);
  const says = random.chance(0.3) ? random.pick(harmless) : { metas: [], headers: {} };
  const refusals = refusing[links[0]!.kind];
  return {
    url: `http://${host}${path}`,
    locale,
    base: pickBase(random, host, home.find((other) => other !== host) ?? host),
    ...(refusals ? refusals[id % refusals.length]! : says),
    licence: random.chance(0.25) ? random.pick(licences) : null,
    links,
  };
}

function pagesOf(web: WebPlan, links: PlannedLink[], group: string, firstId: number): PlannedPage[] {
  const byLocale = Map.groupBy(links, (link) => link.pageLocale);
  const pages: PlannedPage[] = [];
  for (const [locale, all] of [...byLocale].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const random = randomFrom(web.seed, 'pages', locale, group);
    const rest = random.shuffled(all);
    while (rest.length > 0) {
      const size = group in refusing ? random.integer(2, 12) : random.integer(8, 48);
      pages.push(planPage(web, locale, rest.splice(0, size), firstId + pages.length));
    }
  }
  return pages;
}

interface Occurrence {
  link: PlannedLink;
  file: number;
  page: number;
}

/** A URL once more, on a page that comes later; the caption is another one of the same picture. */
function plantDuplicates(web: WebPlan, files: PlannedPage[][], kind: Kind, taken: Set<PlannedLink>): void {
  const pictures = new Map(web.pictures.map((picture) => [picture.file, picture]));
  const random = randomFrom(web.seed, kind);
  const originals: Occurrence[] = files.flatMap((pages, file) =>
    pages.flatMap((page, at) => page.links.filter(({ kind: k }) => k === 'right').map((link) => ({ link, file, page: at }))),
  );
  let left = countOf(kind, web.candidates);
  for (const { link, file, page } of random.shuffled(originals)) {
    if (left === 0) return;
    if (taken.has(link)) continue;
    const later = kind === 'duplicate-url-in-file' ? (files[file] ?? []).slice(page) : files.slice(file + 1).flatMap((pages) => pages);
    // Not on a page that refuses: the link would then have two faults.
    const possible = later.filter((other) => refusing[other.links[0]!.kind] === undefined);
    const picture = pictures.get(link.picture ?? '');
    if (possible.length === 0 || picture === undefined) continue;
    const subject = random.chance(0.3) ? null : pickSubject(web, random, picture);
    const alt = subject?.text ?? link.alt;
    const locale = subject?.locale ?? link.locale;
    // At the end of the page: also on the original's own page it comes after it.
    random.pick(possible).links.push({ ...link, kind, alt, locale });
    taken.add(link);
    left -= 1;
  }
}

export function planPages(web: WebPlan, crawlFiles: number): PlannedPage[][] {
  // Links of a kind that refuses stand on pages of their own.
  const groups: Map<string, PlannedLink[]> = Map.groupBy(web.links, ({ kind }) => (kind in refusing ? kind : 'others'));
  const pages: PlannedPage[] = [];
  for (const group of ['others', ...Object.keys(refusing)]) pages.push(...pagesOf(web, groups.get(group) ?? [], group, pages.length + 1));

  const files: PlannedPage[][] = Array.from({ length: crawlFiles }, () => []);
  randomFrom(web.seed, 'crawl files')
    .shuffled(pages)
    .forEach((page, index) => files[index % crawlFiles]?.push(page));

  const taken = new Set<PlannedLink>();
  plantDuplicates(web, files, 'duplicate-url-in-file', taken);
  if (crawlFiles > 1) plantDuplicates(web, files, 'duplicate-url-across-files', taken);
  return files;
}
