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
  // The page says it, not the picture: plan-pages.ts gives these links pages of their own.
  plan(web, 'meta-robots', []);
}

/** What the pages of `meta-robots` links carry in their head. */
export const refusingMetas: readonly { name: string; content: string }[] = [
  { name: 'robots', content: 'noai' },
  { name: 'robots', content: 'noimageai' },
  { name: 'robots', content: 'noai, noimageai' },
  { name: 'robots', content: 'noimageindex' },
  { name: 'ROBOTS', content: 'NOINDEX, FOLLOW' },
  { name: 'pairmill', content: 'noai' },
];

/** What other pages carry, and nobody has to heed. */
export const harmlessMetas: readonly { name: string; content: string }[] = [
  { name: 'robots', content: 'index, follow' },
  { name: 'robots', content: 'max-image-preview:large' },
  { name: 'otherbot', content: 'noai' },
];
