// Links that a crawler should not even ask for, by their URL alone.

import { hostsOf } from './hosts.ts';
import { specifyPicture, extensions } from './plan-pictures.ts';
import { drawPicture, pictureSvg } from './render-picture.ts';
import type { Random } from './random.ts';
import { addRoute, addSubjectLink, fileAnswer, newUrl, pickSubject, repeat } from './web-plan.ts';
import type { WebPlan } from './web-plan.ts';

/** Pictures that do exist, so that a crawler that asks for them is found out. */
function planFormats(web: WebPlan, kind: 'svg-url' | 'gif-url'): void {
  const [extension, type] = kind === 'svg-url' ? ['svg', 'image/svg+xml'] : ['gif', 'image/gif'];
  repeat(web, kind, (random, index) => {
    const subject = pickSubject(web, random);
    // One file for each of the first few; the rest have URLs of their own for the same bytes.
    const file = `${kind}-${index % 20}.${extension}`;
    if (index < 20) {
      const wish = { file, format: 'png', width: 256, height: 256, style: 'noise' } as const;
      const spec = specifyPicture(random, subject.picture.drawing, wish);
      web.planted.push({ file, build: async () => (kind === 'svg-url' ? pictureSvg(spec) : drawPicture(spec).gif().toBuffer()) });
    }
    const url = newUrl(web, random, subject, { extension: random.chance(0.1) ? extension.toUpperCase() : extension, extensionMatters: true });
    const raw = random.chance(0.15) ? `${url}?v=${random.integer(1, 9)}` : url;
    addRoute(web, raw, { answer: 'file', file, type });
    addSubjectLink(web, kind, subject, raw, { picture: file });
  });
}

function planLiterals(web: WebPlan): void {
  repeat(web, 'data-url', (random) => {
    const body = Buffer.from(Array.from({ length: random.integer(60, 300) }, () => random.integer(0, 255))).toString('base64');
    const raw = `data:image/${random.pick(['png', 'jpeg', 'webp'])};base64,${body}`;
    addSubjectLink(web, 'data-url', pickSubject(web, random), raw, { literal: true, picture: null });
  });
  repeat(web, 'javascript-url', (random, index) => {
    addSubjectLink(web, 'javascript-url', pickSubject(web, random), `javascript:show(${index})`, { literal: true, picture: null });
  });
}

function planLongUrls(web: WebPlan): void {
  repeat(web, 'long-url', (random) => {
    const subject = pickSubject(web, random);
    const url = newUrl(web, random, subject, { extension: extensions[subject.picture.format], folder: '/signed/' });
    const signature = Array.from({ length: random.integer(260, 500) }, () => random.integer(0x10000000, 0xffffffff).toString(16)).join('');
    addRoute(web, `${url}?signature=${signature}`, fileAnswer(subject.picture));
    addSubjectLink(web, 'long-url', subject, `${url}?signature=${signature}`);
  });
  const [longHost = ''] = hostsOf('long-name');
  repeat(web, 'bad-host', (random) => {
    const subject = pickSubject(web, random);
    const raw = newUrl(web, random, subject, { host: longHost, extension: extensions[subject.picture.format] });
    addRoute(web, raw, fileAnswer(subject.picture));
    addSubjectLink(web, 'bad-host', subject, raw);
  });
}

/** Addresses of private networks, of the machine itself, and of cloud machines' metadata, in several spellings. */
export const privateAuthorities = [
  '10.0.0.7',
  '192.168.1.1',
  '172.16.0.9:8080',
  '169.254.169.254',
  'localhost',
  'localhost:5432',
  '127.0.0.1',
  '[::1]',
  '2130706433',
  '0x7f.1',
  '[::ffff:10.0.0.7]',
  '[fd00:ec2::254]',
  '0.0.0.0',
  '100.64.0.3',
  '[fe80::1]',
];

export function privateUrl(random: Random, index: number): string {
  const authority = privateAuthorities[index % privateAuthorities.length] ?? 'localhost';
  const path = random.pick(['latest/meta-data', 'admin/camera', 'status', 'img']);
  return `http://${authority}/${path}/${index}.jpg`;
}

function planPrivate(web: WebPlan): void {
  repeat(web, 'private-address', (random, index) => {
    addSubjectLink(web, 'private-address', pickSubject(web, random), privateUrl(random, index), { literal: true, picture: null });
  });
}

export function planUrlLinks(web: WebPlan): void {
  planFormats(web, 'svg-url');
  planFormats(web, 'gif-url');
  planLiterals(web);
  planLongUrls(web);
  planPrivate(web);
}
