// The plan of a web while it grows: its links, what the origin answers to them, and the files it answers with.

import type { Captions } from './captions.ts';
import type { EmojiSet } from './emoji-set.ts';
import { ordinaryHosts } from './hosts.ts';
import { countOf } from './kinds.ts';
import type { Kind } from './kinds.ts';
import { languageOf, pickLocale } from './languages.ts';
import { mimeTypes } from './plan-pictures.ts';
import type { PlannedPicture } from './plan-pictures.ts';
import { randomFrom } from './random.ts';
import type { Random } from './random.ts';
import type { Answer, Route } from './routes.ts';

export interface PlannedLink {
  kind: Kind;
  /** Absolute URL as an author types it: letters of any script, no escapes. */
  raw: string;
  /** Written into the page exactly so; else the page may shorten it to a relative URL. */
  literal: boolean;
  /** Null: no alt attribute. */
  alt: string | null;
  locale: string | null;
  /** The language of the page that it stands on. */
  pageLocale: string;
  emoji: string | null;
  textEmoji?: string;
  repaired?: string;
  picture: string | null;
}

/** A file that is no ordinary picture; `read` gives the bytes of one that is. */
export interface PlantedFile {
  file: string;
  build(read: (file: string) => Promise<Buffer>): Promise<Buffer>;
}

export interface WebPlan {
  seed: number;
  set: EmojiSet;
  candidates: number;
  pictures: PlannedPicture[];
  captions: Captions;
  links: PlannedLink[];
  routes: Route[];
  planted: PlantedFile[];
  nextId: number;
}

export interface Subject {
  picture: PlannedPicture;
  locale: string;
  text: string;
}

/** A picture with a right caption, for a link that nothing else is wrong with. */
export function pickSubject(web: WebPlan, random: Random, picture?: PlannedPicture): Subject {
  for (let attempt = 0; attempt < 500; attempt++) {
    const chosen = picture ?? random.pick(web.pictures);
    const locale = pickLocale(random, web.set.locales);
    const text = web.captions.right(random, chosen, locale);
    if (text !== null) return { picture: chosen, locale, text };
  }
  throw new Error('more links are asked for than these pictures have captions');
}

/** Two hosts are at home in a language; there its pages stand, and most of their pictures. */
export function homeHosts(web: WebPlan, locale: string): [string, string] {
  const order = randomFrom(web.seed, 'home', locale).shuffled(ordinaryHosts);
  return [order[0] ?? '', order[1] ?? ''];
}

function slug(text: string): string {
  const letters = text
    .normalize('NFC')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}]+/gu, '-');
  return letters.replaceAll(/^-|-$/g, '').slice(0, 40) || 'picture';
}

export interface UrlWish {
  host?: string;
  /** With slashes at both ends. */
  folder?: string;
  /** With its question mark; only together with a folder. */
  query?: string;
  /** Without a dot; a URL may also go without one, except where the wish says so. */
  extension: string;
  extensionMatters?: boolean;
}

/** A URL that no other link has. */
export function newUrl(web: WebPlan, random: Random, subject: Pick<Subject, 'picture' | 'locale'>, wish: UrlWish): string {
  const id = web.nextId++;
  const host = wish.host ?? (random.chance(0.6) ? random.pick(homeHosts(web, subject.locale)) : random.pick(ordinaryHosts));
  const name = slug(web.captions.label(subject.picture, random.chance(0.2) ? subject.locale : 'en'));
  const file = `${name}-${id}.${wish.extension}`;
  if (wish.folder !== undefined) return `http://${host}${wish.folder}${file}${wish.query ?? ''}`;
  const year = random.integer(2009, 2024);
  const month = String(random.integer(1, 12)).padStart(2, '0');
  const forms = [`/img/${file}`, `/img/${file}`, `/uploads/${year}/${month}/${file}`, `/${name}/${id}.${wish.extension}`, `/assets/${file}`];
  if (wish.extensionMatters !== true) forms.push(`/photo/${id}`, `/image.php?id=${id}&size=large`, `/img/${file}?w=640&q=80`);
  return `http://${host}${random.pick(forms)}`;
}

export function fileAnswer(picture: PlannedPicture, headers?: Record<string, string>): Answer {
  const answer = { answer: 'file', file: picture.file, type: mimeTypes[picture.format] } as const;
  return headers === undefined ? answer : { ...answer, headers };
}

export function addRoute(web: WebPlan, raw: string, answer: Answer): void {
  web.routes.push({ url: new URL(raw).href, ...answer });
}

/** Adds a link with a right caption under a URL of its own. */
export function addSubjectLink(web: WebPlan, kind: Kind, subject: Subject, raw: string, changes?: Partial<PlannedLink>): PlannedLink {
  const link: PlannedLink = {
    kind,
    raw,
    literal: false,
    alt: subject.text,
    locale: subject.locale,
    pageLocale: subject.locale,
    emoji: web.set.emojis[subject.picture.emoji]?.hex ?? null,
    picture: subject.picture.file,
    ...changes,
  };
  web.links.push(link);
  return link;
}

export function linkLanguage(link: PlannedLink): string | null {
  return link.locale === null ? null : languageOf(link.locale);
}

/** As many of a kind as the web's size asks for, each with dice of its own. */
export function repeat(web: WebPlan, kind: Kind, plant: (random: Random, index: number) => void): void {
  const count = countOf(kind, web.candidates);
  for (let index = 0; index < count; index++) plant(randomFrom(web.seed, kind, index), index);
}
