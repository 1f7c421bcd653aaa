import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Candidate } from '../../src/contracts/records.ts';
import { codePoints } from '../../src/stages/extract/clean-text.ts';

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** What `cleanText` promises of its result. */
export function checkClean(text: string): void {
  assert.ok(text.isWellFormed(), 'well-formed');
  assert.equal(text.normalize('NFC'), text, 'NFC');
  assert.ok(!CONTROL.test(text), 'control or direction characters');
  assert.ok(!/^\s|\s$|\s\s/.test(text), 'white space');
}

/** What every candidate promises, with the rules as they are by default. */
export function checkCandidate({ url, text, hash, uid, page_url, ...rest }: Candidate): void {
  const parsed = new URL(url);
  assert.equal(parsed.href, url, 'a URL in its final form');
  assert.ok(['http:', 'https:'].includes(parsed.protocol) && url.length <= 2000 && parsed.hostname.length <= 60);
  assert.ok(!/\.(?:svg|gif)$/i.test(parsed.pathname), 'no svg, no gif');
  checkClean(text);
  assert.ok(codePoints(text) >= 5 && codePoints(text) <= 2000, 'length of the text');
  assert.equal(codePoints(text), Array.from(text).length);
  assert.equal(
    uid,
    createHash('md5')
      .update(text + url)
      .digest('hex'),
  );
  assert.equal(typeof hash, 'bigint');
  assert.ok(page_url.length > 0);
  for (const value of Object.values(rest)) if (typeof value === 'number') assert.ok(Number.isFinite(value));
}
