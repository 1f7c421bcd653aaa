import { htmlEntities } from './caption-tables.ts';
import { windows1252 } from './fix-encoding.ts';

/**
 * Python's html.unescape, and ftfy's stricter form of it. They differ from a browser's rules and from each other; the
 * tokens of a caption depend on which is applied when.
 */

/** Named characters; a key ends in `;` but for those that HTML takes without. */
const named: ReadonlyMap<string, string> = (() => {
  const map = new Map<string, string>();
  for (const entry of htmlEntities.split(' ')) {
    const [, name, bare, codes] = /^(\w+)([!=])(.+)$/.exec(entry) as unknown as [string, string, string, string];
    const characters = String.fromCodePoint(...codes.split(',').map((code) => Number.parseInt(code, 16)));
    map.set(`${name};`, characters);
    if (bare === '!') map.set(name, characters);
  }
  return map;
})();

/** html.unescape: also names without a semicolon, and the longest known beginning of an unknown name. */
export function unescapeHtml(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(#\d+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/gu, (_whole, reference: string) => {
    if (reference.startsWith('#')) return numeric(reference.replace(';', ''));
    const character = named.get(reference);
    if (character !== undefined) return character;
    for (let length = reference.length - 1; length > 1; length--) {
      const beginning = named.get(reference.slice(0, length));
      if (beginning !== undefined) return beginning + reference.slice(length);
    }
    return `&${reference}`;
  });
}

function numeric(reference: string): string {
  const code = /^#[xX]/.test(reference) ? Number.parseInt(reference.slice(2), 16) : Number.parseInt(reference.slice(1), 10);
  if (code === 0) return '\uFFFD';
  if (code === 0x0d) return '\r';
  // As browsers read it where a number names a C1 control.
  if (code >= 0x80 && code <= 0x9f) return windows1252[code - 0x80]!;
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10_ffff) return '\uFFFD';
  const invalid =
    (code >= 0x01 && code <= 0x08) ||
    code === 0x0b ||
    (code >= 0x0e && code <= 0x1f) ||
    code === 0x7f ||
    (code >= 0xfdd0 && code <= 0xfdef) ||
    (code & 0xfffe) === 0xfffe;
  return invalid ? '' : String.fromCodePoint(code);
}

/** Names that ftfy reads too although their case is wrong: `&EACUTE;` where HTML has only `&eacute;`. */
const upperCased: ReadonlyMap<string, string> = (() => {
  const map = new Map<string, string>();
  for (const [name, character] of named) {
    const upper = name.toUpperCase();
    if (!name.endsWith(';') || name !== name.toLowerCase() || unescapeHtml(`&${upper}`) !== `&${upper}`) continue;
    map.set(upper, character.toUpperCase());
  }
  return map;
})();

/** ftfy.fixes.unescape_html: only what ends in a semicolon. */
export function unescapeHtmlStrictly(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(#?[0-9A-Za-z]{1,24};)/g, (whole, reference: string) => {
    const character = named.get(reference) ?? upperCased.get(reference);
    if (character !== undefined) return character;
    if (!reference.startsWith('#')) return whole;
    const unescaped = unescapeHtml(whole);
    return unescaped.includes(';') ? whole : unescaped;
  });
}
