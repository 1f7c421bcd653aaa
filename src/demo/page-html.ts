// A page: its HTML, and what Common Crawl's extractor reads out of that HTML, made side by side so that they agree.

import { escapeHtml } from '../formats/escape-html.ts';
import { htmlLang, wordForPicture } from './languages.ts';
import type { PlannedPage } from './plan-pages.ts';
import { randomFrom } from './random.ts';
import type { Random } from './random.ts';
import type { PlannedLink } from './web-plan.ts';

export interface PageMetadata {
  Head: { Metas: Record<string, string>[]; Title: string; Base?: string; Link?: Record<string, string>[] };
  Links: Record<string, string>[];
}

export interface ComposedPage {
  html: string;
  metadata: PageMetadata;
  /** Absolute URLs of the page's image links, in order. */
  urls: string[];
}

/** Some authoring tools write letters beyond ASCII as numbers. */
function escapeAll(text: string): string {
  return escapeHtml(text).replaceAll(/[^\0-\x7f]/gu, (letter) => `&#${letter.codePointAt(0)};`);
}

function folderOf(pathname: string): string {
  return pathname.slice(0, pathname.lastIndexOf('/') + 1);
}

/** One of the ways to write a URL on this page; relative ones where the host allows. */
function spell(random: Random, link: PlannedLink, base: URL): string {
  const { raw } = link;
  if (link.literal) return raw;
  const pathStart = raw.indexOf('/', 'http://'.length);
  const path = raw.slice(pathStart);
  const ways = [raw, raw.slice('http:'.length)];
  if (raw.slice('http://'.length, pathStart) === base.host) {
    const folder = folderOf(base.pathname);
    const up = '../'.repeat(folder.split('/').length - 2);
    ways.push(path, path, up + path.slice(1), path.startsWith(folder) ? path.slice(folder.length) : path);
  }
  return random.pick(ways);
}

/** Since 2025 Common Crawl cuts data URLs behind the comma. */
function asCrawled(url: string): string {
  return url.startsWith('data:') ? url.slice(0, url.indexOf(',') + 1) : url;
}

export function composePage(page: PlannedPage, seed: number): ComposedPage {
  const random = randomFrom(seed, 'html', page.url);
  const base = new URL(page.base ?? '', page.url);
  const links: Record<string, string>[] = [];
  const urls: string[] = [];
  const word = wordForPicture(page.locale);
  const title = `${word} ${page.links.length} – ${page.links.find(({ alt }) => alt !== null && alt.length < 60)?.alt ?? word}`;

  function image(link: PlannedLink): string {
    const src = spell(random, link, base);
    const resolved = new URL(asCrawled(src), base).href;
    if (!src.startsWith('data:') && resolved !== new URL(link.raw).href) throw new Error(`${src} on ${page.url} is not ${link.raw}`);
    urls.push(resolved);
    const found: Record<string, string> = { path: 'IMG@/src', url: asCrawled(src) };
    let html = `<img src="${escapeHtml(src)}"`;
    if (link.alt !== null) {
      found['alt'] = link.alt;
      html += ` alt="${(random.chance(0.15) ? escapeAll : escapeHtml)(link.alt)}"`;
    }
    if (random.chance(0.05)) {
      found['title'] = word;
      html += ` title="${escapeHtml(word)}"`;
    }
    links.push(found);
    return `${html}>`;
  }

  function anchor(url: string, text: string, inner: string, rel?: string): string {
    const found: Record<string, string> = { path: 'A@/href', url };
    if (rel !== undefined) found['rel'] = rel;
    if (text !== '') found['text'] = text;
    links.push(found);
    return `<a href="${escapeHtml(url)}"${rel === undefined ? '' : ` rel="${rel}"`}>${inner}</a>`;
  }

  /** A bare picture, one in a figure, or one in a link: the extractor reports that link after the picture, when it ends. */
  function block(link: PlannedLink): string {
    const dice = random.next();
    if (dice < 0.3) return `<p>${image(link)}</p>`;
    if (dice < 0.7) return `<figure>${image(link)}<figcaption>${escapeHtml(word)} ${urls.length}</figcaption></figure>`;
    const inner = image(link);
    return `<div>${anchor(`/view/${urls.length}`, '', inner)}</div>`;
  }

  const metas: Record<string, string>[] = [
    { name: 'HTML@/lang', content: htmlLang(page.locale) },
    { name: 'viewport', content: 'width=device-width, initial-scale=1' },
    ...page.metas,
  ];
  const headLinks: Record<string, string>[] = [{ path: 'LINK@/href', url: '/style.css', rel: 'stylesheet', type: 'text/css' }];
  if (page.licence !== null && random.chance(0.3)) headLinks.push({ path: 'LINK@/href', url: page.licence, rel: 'license' });

  const home = anchor('/', word, escapeHtml(word));
  const blocks = page.links.map(block);
  const licence = page.licence === null ? '' : anchor(page.licence, 'Creative Commons', 'Creative Commons', 'license');
  const html = [
    '<!DOCTYPE html>',
    `<html lang="${htmlLang(page.locale)}">`,
    '<head>',
    '<meta charset="utf-8">',
    ...metas.slice(1).map(({ name, content }) => `<meta name="${name}" content="${content}">`),
    `<title>${escapeHtml(title)}</title>`,
    ...(page.base === null ? [] : [`<base href="${escapeHtml(page.base)}">`]),
    ...headLinks.map(({ url, rel, type }) => `<link href="${url}" rel="${rel}"${type === undefined ? '' : ` type="${type}"`}>`),
    '</head>',
    '<body>',
    `<nav>${home}</nav>`,
    ...blocks,
    ...(licence === '' ? [] : [`<footer>${licence}</footer>`]),
    '</body>',
    '</html>',
    '',
  ].join('\n');
  const Head = { Metas: metas, Title: title, ...(page.base === null ? {} : { Base: page.base }), Link: headLinks };
  return { html, metadata: { Head, Links: links }, urls };
}
