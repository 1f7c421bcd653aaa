import assert from 'node:assert/strict';
import type { CrawlPage } from '../../src/formats/crawl-page.ts';
import { parseWatJson } from '../../src/formats/wat-json.ts';
import type { ReadRecord } from './read-all.ts';

/**
 * What a WAT record must give: where its content is JSON, what parsing it as a whole gives; where it is not, no link that
 * is not there, and damage where the record was cut.
 */
export function checkWatRecord({ content, uri, type, page }: ReadRecord): void {
  const text = content.toString('utf8');
  const read = page && 'links' in page && page.links.length > 0 ? page : undefined;
  if (!text.startsWith('{')) {
    assert.equal(page, undefined);
    return;
  }
  let whole: CrawlPage | undefined;
  try {
    whole = parseWatJson(text, uri, 'image');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    checkBroken(text, page, type);
    return;
  }
  assert.ok(!page || !('damaged' in page), 'valid JSON counted as damaged');
  if (!isPlain(text)) return;
  assert.deepEqual(read, whole && whole.links.length > 0 ? whole : undefined);
}

/** Broken JSON: the record is damaged, or its links are those that are written in it. */
function checkBroken(text: string, page: ReadRecord['page'], type: string | undefined): void {
  if (page && 'damaged' in page) return;
  // A cut record is damaged, whatever was before the cut.
  if (type === 'application/json') assert.ok(text.endsWith('}}}'), 'a record that does not end was not counted');
  if (!page) return;
  const there = flatObjects(text)
    .filter((link) => link['path'] === 'IMG@/src')
    .map(({ url, alt }) => JSON.stringify([url, alt]));
  for (const { url, text: alt } of page.links) assert.ok(there.includes(JSON.stringify([url, alt])), `a link that is not there: ${url}`);
}

/** Objects of strings only that are written anywhere in a text. */
function flatObjects(text: string): Record<string, string>[] {
  const found: Record<string, string>[] = [];
  const flat = /\{"(?:[^"\\]|\\.)*":"(?:[^"\\]|\\.)*"(?:,"(?:[^"\\]|\\.)*":"(?:[^"\\]|\\.)*")*\}/suy;
  for (let at = text.indexOf('{'); at >= 0; at = text.indexOf('{', at + 1)) {
    flat.lastIndex = at;
    const match = flat.exec(text);
    if (!match) continue;
    try {
      found.push(JSON.parse(match[0]) as Record<string, string>);
    } catch {
      // A wrong escape.
    }
  }
  return found;
}

/**
 * Whether JSON is such as an extractor writes, as far as the two ways of reading depend on it: no key twice in one object,
 * image links only in the list of links, one head.
 */
function isPlain(text: string): boolean {
  let strings = 0;
  let images = 0;
  const walk = (value: unknown): void => {
    if (typeof value === 'string') strings++;
    else if (Array.isArray(value)) value.forEach(walk);
    else if (value !== null && typeof value === 'object') {
      if ((value as { path?: unknown }).path === 'IMG@/src') images++;
      for (const [key, each] of Object.entries(value)) {
        strings++;
        walk(each);
        if (key === '__proto__') strings = -Infinity;
      }
    }
  };
  const json: unknown = JSON.parse(text);
  walk(json);
  if ((text.match(/"(?:[^"\\]|\\.)*"/gsu) ?? []).length !== strings) return false;
  const html = at(json, 'Envelope', 'Payload-Metadata', 'HTTP-Response-Metadata', 'HTML-Metadata');
  const links = at(html, 'Links');
  const listed = Array.isArray(links) ? links.filter((link) => at(link, 'path') === 'IMG@/src').length : 0;
  const names = (text.match(/"(?:Head|Links|Metas|Base)"\s*:/gu) ?? []).length;
  const own = [html, at(html, 'Head')].flatMap((object) => ['Head', 'Links', 'Metas', 'Base'].filter((key) => at(object, key) !== undefined)).length;
  return images === listed && names === own;
}

function at(value: unknown, ...keys: string[]): unknown {
  for (const key of keys) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
