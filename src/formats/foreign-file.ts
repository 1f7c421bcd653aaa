import { plainStart } from './plain-start.ts';

/** Beginnings of files that people give by mistake, and what they are. */
const BEGINNINGS: readonly [RegExp, string][] = [
  [/^filedesc:\/\//, "an ARC file, the Internet Archive's format before WARC. Convert it to WARC (warcio recompress does)"],
  [/^PAR1/, 'a Parquet file'],
  [/^(?:<!doctype html|<html)/i, 'an HTML page, as a server sends it in place of a file that it refuses'],
  [/^<\?xml/i, 'an XML file, as object stores answer in place of a file that they refuse'],
  [/^PK/, 'a zip archive'],
  [/^%PDF/, 'a PDF'],
  [/^(?:\u00ff\u00d8\u00ff|\u0089PNG|RIFF|GIF8)/, 'a picture'],
  [/^[\s\S]{257}ustar/, 'a tar archive'],
];
/** A WET says it in its warcinfo record, or in its first record of another type. */
const WET = /^warc-type:[ \t]*conversion|extracted plain text/im;

/**
 * What a file is that is neither WAT nor WARC, by its first bytes, for a message: "a WET file, which holds text and no links". Undefined
 * where it is a WAT or WARC, empty, or nothing that is known (damaged, perhaps).
 */
export function foreignFile(head: Uint8Array): string | undefined {
  const bytes = plainStart(head);
  if (bytes.length === 0) return undefined;
  const text = bytes.toString('latin1');
  if (/^WARC\/\d/.test(text)) return WET.test(text) ? 'a WET file, which holds the text of pages and no links. Common Crawl has a WAT beside it' : undefined;
  const known = BEGINNINGS.find(([beginning]) => beginning.test(text));
  if (known) return known[1];
  // Of a text that is cut, the last character may be half there.
  const decoded = bytes.toString('utf8').slice(0, -1);
  return decoded.length > 0 && !decoded.includes('\ufffd') && !/[^\P{Cc}\s]/u.test(decoded) ? 'a text file' : undefined;
}
