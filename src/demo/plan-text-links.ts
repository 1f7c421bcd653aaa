// Links whose picture is served without fault: right captions, and everything that can be wrong with a caption.

import { hostsOf } from './hosts.ts';
import { pickLocale, mojibakeLocales } from './languages.ts';
import { pickName } from './names.ts';
import { extensions } from './plan-pictures.ts';
import { randomFrom } from './random.ts';
import type { Random } from './random.ts';
import { addRoute, addSubjectLink, fileAnswer, newUrl, pickSubject, repeat } from './web-plan.ts';
import type { Subject, WebPlan } from './web-plan.ts';

function serve(web: WebPlan, random: Random, subject: Pick<Subject, 'picture' | 'locale'>): string {
  const raw = newUrl(web, random, subject, { extension: extensions[subject.picture.format] });
  addRoute(web, raw, fileAnswer(subject.picture));
  return raw;
}

/** Now and then what looks like an opt-out is none: a folder opened again within a closed one, a reservation of 0. */
function serveAlmostRefused(web: WebPlan, random: Random, subject: Subject): string {
  const reopened = random.chance(0.5) ? { host: random.pick(hostsOf('partly-closed')), folder: '/private/press/' } : {};
  const raw = newUrl(web, random, subject, { ...reopened, extension: extensions[subject.picture.format] });
  addRoute(web, raw, fileAnswer(subject.picture, { 'tdm-reservation': '0' }));
  return raw;
}

function anySubject(web: WebPlan, random: Random): Subject {
  return { picture: random.pick(web.pictures), locale: pickLocale(random, web.set.locales), text: '' };
}

/** Every picture in turn, so that each has captions in several languages. */
function planRight(web: WebPlan): void {
  const order = randomFrom(web.seed, 'right order').shuffled(web.pictures);
  repeat(web, 'right', (random, index) => {
    const subject = pickSubject(web, random, order[index % order.length]);
    addSubjectLink(web, 'right', subject, (random.chance(0.02) ? serveAlmostRefused : serve)(web, random, subject));
  });
}

function planWrong(web: WebPlan): void {
  repeat(web, 'wrong-caption', (random) => {
    const subject = anySubject(web, random);
    const { text, emoji } = web.captions.wrong(random, subject.picture, subject.locale);
    const textEmoji = web.set.emojis[emoji]?.hex ?? '';
    addSubjectLink(web, 'wrong-caption', { ...subject, text }, serve(web, random, subject), { textEmoji });
  });
}

/** Faces, and houses and landscapes: what an album or a travel page shows. */
function planNames(web: WebPlan): void {
  const fitting = web.pictures.filter(({ emoji }) => [0, 1, 5].includes(web.set.emojis[emoji]?.group ?? -1));
  repeat(web, 'name-no-language', (random) => {
    const picture = random.pick(fitting.length > 0 ? fitting : web.pictures);
    const subject = { ...anySubject(web, random), picture, text: pickName(random) };
    addSubjectLink(web, 'name-no-language', subject, serve(web, random, subject), { locale: null });
  });
}

/** Under five characters: short labels, the bare emoji, a file's number. */
function planShort(web: WebPlan): void {
  repeat(web, 'short-alt', (random) => {
    const subject = anySubject(web, random);
    const label = web.captions.label(subject.picture, subject.locale);
    const emoji = web.set.emojis[subject.picture.emoji]?.emoji ?? '';
    const texts = [label, label, emoji].filter((text) => text !== '' && [...text].length < 5);
    const text = texts.length > 0 ? random.pick(texts) : random.pick(['img', 'foto', 'IMG', '1', `${random.integer(10, 9999)}`]);
    const locale = text === label ? subject.locale : null;
    addSubjectLink(web, 'short-alt', { ...subject, text }, serve(web, random, subject), { locale });
  });
}

function planNoAlt(web: WebPlan): void {
  repeat(web, 'no-alt', (random) => {
    const subject = anySubject(web, random);
    const alt = random.chance(0.5) ? '' : null;
    addSubjectLink(web, 'no-alt', subject, serve(web, random, subject), { alt, locale: null });
  });
}

function planLong(web: WebPlan): void {
  repeat(web, 'long-text', (random) => {
    const subject = pickSubject(web, random);
    const text = web.captions.long(random, subject.picture, subject.locale);
    addSubjectLink(web, 'long-text', { ...subject, text }, serve(web, random, subject));
  });
}

/** UTF-8 read as windows-1252, once, which is how it happens. */
function garble(text: string): string {
  return new TextDecoder('windows-1252').decode(Buffer.from(text, 'utf8'));
}

/** Whether the garbling shows, and lost nothing to whitespace or control characters. */
function isRepairable(garbled: string, text: string): boolean {
  return garbled !== text && !/[\u0080-\u00a0\u00ad]/.test(garbled);
}

function planMojibake(web: WebPlan): void {
  repeat(web, 'mojibake-text', (random) => {
    for (let attempt = 0; attempt < 2000; attempt++) {
      const picture = random.pick(web.pictures);
      const locale = random.pick(mojibakeLocales);
      const [label, tag] = [web.captions.label(picture, locale), web.captions.tags(picture, locale)[0]];
      const garbled = garble(`${label}, ${tag}`);
      if (label === '' || tag === undefined || !isRepairable(garbled, `${label}, ${tag}`)) continue;
      const subject = { picture, locale, text: garbled };
      addSubjectLink(web, 'mojibake-text', subject, serve(web, random, subject), { repaired: `${label}, ${tag}` });
      return;
    }
    throw new Error('no label of these pictures can be garbled');
  });
}

export function planTextLinks(web: WebPlan): void {
  planRight(web);
  planWrong(web);
  planNames(web);
  planShort(web);
  planNoAlt(web);
  planLong(web);
  planMojibake(web);
}
