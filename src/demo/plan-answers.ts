// Links whose URL is fine and whose answer is not what a crawler hopes for: errors, redirects, slow and endless bodies.

import { hostsOf } from './hosts.ts';
import type { Kind } from './kinds.ts';
import { extensions, mimeTypes } from './plan-pictures.ts';
import { privateUrl } from './plan-url-links.ts';
import type { Random } from './random.ts';
import type { Answer } from './routes.ts';
import { addRoute, addSubjectLink, fileAnswer, newUrl, pickSubject, repeat } from './web-plan.ts';
import type { Subject, WebPlan } from './web-plan.ts';

function planLink(web: WebPlan, kind: Kind, answer: (subject: Subject, random: Random, index: number, raw: string) => Answer): void {
  repeat(web, kind, (random, index) => {
    const subject = pickSubject(web, random);
    const raw = newUrl(web, random, subject, { extension: extensions[subject.picture.format] });
    const given = answer(subject, random, index, raw);
    addRoute(web, raw, given);
    addSubjectLink(web, kind, subject, raw, 'file' in given || kind === 'redirect' ? {} : { picture: null });
  });
}

/** Where a redirect may lead without meeting a robots.txt that says no. */
function hopUrl(web: WebPlan, random: Random, subject: Subject, folder: string): string {
  return newUrl(web, random, subject, { host: random.pick(hostsOf('open', 'no-robots')), folder, extension: extensions[subject.picture.format] });
}

const redirectStatuses = [301, 302, 307, 308];

/** One hop or two, absolute or relative, and a picture at the end. */
function planRedirects(web: WebPlan): void {
  planLink(web, 'redirect', (subject, random) => {
    const target = hopUrl(web, random, subject, '/moved/');
    addRoute(web, target, fileAnswer(subject.picture));
    const status = random.pick(redirectStatuses);
    const direct = new URL(target).href;
    if (random.chance(0.6)) return { answer: 'redirect', status, location: direct };
    const between = hopUrl(web, random, subject, '/old/');
    const { host, pathname } = new URL(target);
    const near = new URL(between).host === host;
    addRoute(web, between, { answer: 'redirect', status: random.pick(redirectStatuses), location: near ? pathname : direct });
    return { answer: 'redirect', status, location: new URL(between).href };
  });
}

function planRedirectLoops(web: WebPlan): void {
  planLink(web, 'redirect-loop', (subject, random, index, raw) => {
    if (index % 3 === 0) return { answer: 'redirect', status: 302, location: new URL(raw).href };
    const other = hopUrl(web, random, subject, '/loop/');
    addRoute(web, other, { answer: 'redirect', status: 302, location: new URL(raw).href });
    return { answer: 'redirect', status: 301, location: new URL(other).href };
  });
}

export function planAnswers(web: WebPlan): void {
  for (const status of [404, 403, 429, 500] as const) planLink(web, `status-${status}`, () => ({ answer: 'status', status }));
  planRedirects(web);
  planRedirectLoops(web);
  planLink(web, 'redirect-to-private', (_subject, random, index) => ({
    answer: 'redirect',
    status: 302,
    location: index === 0 ? 'http://169.254.169.254/latest/meta-data/' : privateUrl(random, index),
  }));
  for (const answer of ['slow', 'stalled', 'endless'] as const) {
    planLink(web, `${answer}-body`, ({ picture }) => ({ answer, file: picture.file, type: mimeTypes[picture.format] }));
  }
}
