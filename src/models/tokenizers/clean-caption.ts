import { fixC1Controls, fixEncoding } from './fix-encoding.ts';
import { unescapeHtml, unescapeHtmlStrictly } from './html-unescape.ts';

/**
 * open_clip's cleaning of a caption before it is tokenised (tokenizer.py, `_clean_lower`): ftfy.fix_text, html.unescape
 * twice, white space to single spaces, lower case. CLIP was trained on text cleaned so. ftfy's part is carried over from
 * ftfy 6.3.1 (Apache-2.0, Robyn Speer); recipes/clean-caption holds the trial that compares the two.
 */
export function cleanCaption(text: string): string {
  const cleaned = unescapeHtml(unescapeHtml(fixText(text.toWellFormed())));
  return cleaned.split(whiteSpace).filter(Boolean).join(' ').toLowerCase();
}

/** What Python's str.split takes for white space. */
// eslint-disable-next-line no-control-regex
const whiteSpace = /[\t-\r\x1C-\x20\x85\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+/;

/** ftfy.fix_text: line by line; a `<` means that the text is HTML, whose entities are left alone from there on. */
function fixText(text: string): string {
  let html = false;
  return (text.match(/[^\n]*\n|[^\n]+$/g) ?? [])
    .map((line) => {
      html ||= line.includes('<');
      return fixLine(line, !html);
    })
    .join('');
}

/** Again and again until nothing changes, as ftfy does. */
function fixLine(line: string, unescape: boolean): string {
  for (;;) {
    let fixed = fixEncoding(unescape ? unescapeHtmlStrictly(line) : line);
    fixed = fixC1Controls(fixed);
    fixed = fixed.replaceAll(ligature, (character) => ligatures.get(character)!);
    fixed = fixed.replaceAll(/[\uFF01-\uFFEF]/g, (character) => character.normalize('NFKC')).replaceAll('\u3000', ' ');
    fixed = fixed.replaceAll(/[\u201C-\u201F]/g, '"').replaceAll(/[\u02BC\u2018-\u201B]/g, "'");
    fixed = fixed.replaceAll(/\r\n|[\r\u2028\u2029\u0085]/g, '\n');
    // eslint-disable-next-line no-control-regex
    fixed = fixed.toWellFormed().replaceAll(/\x1B\[[\d;]*[a-zA-Z]/g, '');
    // eslint-disable-next-line no-control-regex
    fixed = fixed.replaceAll(/[\x00-\x08\x0B\x0E-\x1F\x7F\u206A-\u206F\uFEFF\uFFF9-\uFFFC]/g, '').normalize('NFC');
    if (fixed === line) return line;
    line = fixed;
  }
}

/** Ligatures of Latin letters, which come from copying out of typeset text. */
const ligatures: ReadonlyMap<string, string> = new Map([
  ['\u0132', 'IJ'],
  ['\u0133', 'ij'],
  ['\u0149', '\u02BCn'],
  ['\u01F1', 'DZ'],
  ['\u01F2', 'Dz'],
  ['\u01F3', 'dz'],
  ['\u01C4', 'D\u017D'],
  ['\u01C5', 'D\u017E'],
  ['\u01C6', 'd\u017E'],
  ['\u01C7', 'LJ'],
  ['\u01C8', 'Lj'],
  ['\u01C9', 'lj'],
  ['\u01CA', 'NJ'],
  ['\u01CB', 'Nj'],
  ['\u01CC', 'nj'],
  ['\uFB00', 'ff'],
  ['\uFB01', 'fi'],
  ['\uFB02', 'fl'],
  ['\uFB03', 'ffi'],
  ['\uFB04', 'ffl'],
  ['\uFB05', '\u017Ft'],
  ['\uFB06', 'st'],
]);
const ligature = new RegExp(`[${[...ligatures.keys()].join('')}]`, 'g');
