// Pictures whose owners do not want them taken, each in one of the ways there are to say so.

import { hostsOf } from './hosts.ts';
import { extensions } from './plan-pictures.ts';
import { addRoute, addSubjectLink, fileAnswer, newUrl, pickSubject, repeat } from './web-plan.ts';
import type { UrlWish, WebPlan } from './web-plan.ts';
import type { Kind } from './kinds.ts';

function plan(web: WebPlan, kind: Kind, wishes: Partial<UrlWish>[], headers?: Record<string, string>[]): void {
  repeat(web, kind, (random, index) => {
    const subject = pickSubject(web, random);
    const wish = wishes.length === 0 ? {} : random.pick(wishes);
    const raw = newUrl(web, random, subject, { ...wish, extension: extensions[subject.picture.format] });
    addRoute(web, raw, fileAnswer(subject.picture, headers?.[index % headers.length]));
    addSubjectLink(web, kind, subject, raw);
  });
}

function tag(value: string): Record<string, string> {
  return { 'x-robots-tag': value };
}

export function planOptOuts(web: WebPlan): void {
  plan(web, 'robots-txt', [
    ...hostsOf('partly-closed').map((host) => ({ host, folder: '/private/' })),
    ...hostsOf('partly-closed').map((host) => ({ host, folder: '/show/', query: '?session=7' })),
    ...hostsOf('closed').map((host) => ({ host })),
  ]);
  plan(
    web,
    'robots-txt-agent',
    hostsOf('closed-to-pairmill').map((host) => ({ host, folder: '/members/' })),
  );
  plan(web, 'x-robots-tag', [], ['noai', 'noimageai', 'noindex', 'noimageindex', 'noai, noimageai', 'pairmill: noai', 'NoAI'].map(tag));
  plan(web, 'x-robots-other', [], ['otherbot: noai', 'otherbot: noindex, noimageai', 'max-image-preview: large'].map(tag));
  plan(web, 'tdm-reservation', [], [{ 'tdm-reservation': '1' }, { 'tdm-reservation': '1', 'tdm-policy': 'http://agency.test/policy.json' }]);
}

/** Where the page says it, and not the picture: plan-pages.ts gives these links pages of their own. */
export function planPageOptOuts(web: WebPlan): void {
  plan(web, 'meta-robots', []);
  plan(web, 'page-tdm-reservation', []);
}

/** What a page says of the use of its pictures, in its head and in the header of its answer. */
export interface PageSays {
  metas: { name: string; content: string }[];
  headers: Record<string, string>;
}

const inMeta = (name: string, content: string): PageSays => ({ metas: [{ name, content }], headers: {} });
const inHeader = (name: string, value: string): PageSays => ({ metas: [], headers: { [name]: value } });

/** Of pages with links of these kinds, which all refuse. */
export const refusing: Partial<Record<Kind, readonly PageSays[]>> = {
  'meta-robots': [
    inMeta('robots', 'noai'),
    inMeta('robots', 'noimageai'),
    inHeader('X-Robots-Tag', 'noai, noimageai'),
    inMeta('robots', 'noai, noimageai'),
    inMeta('robots', 'noimageindex'),
    inHeader('x-robots-tag', 'otherbot: nofollow, pairmill: noimageindex'),
    inMeta('ROBOTS', 'NOINDEX, FOLLOW'),
    inMeta('pairmill', 'noai'),
  ],
  'page-tdm-reservation': [inMeta('tdm-reservation', '1'), inHeader('TDM-Reservation', '1'), inHeader('tdm-reservation', '1')],
};

/** What other pages say, and nobody has to heed. */
export const harmless: readonly PageSays[] = [
  inMeta('robots', 'index, follow'),
  inMeta('robots', 'max-image-preview:large'),
  inMeta('otherbot', 'noai'),
  inMeta('tdm-reservation', '0'),
  inHeader('X-Robots-Tag', 'otherbot: noai, noindex'),
  inHeader('tdm-reservation', '0'),
];
