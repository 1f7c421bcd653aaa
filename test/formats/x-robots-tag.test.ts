import { describe, expect, test } from 'vitest';
import { disallowedDirective } from '../../src/formats/x-robots-tag.ts';

const disallowed = new Set(['noai', 'noimageai', 'noindex', 'noimageindex']);

describe('X-Robots-Tag', () => {
  test.each<[string[], string | undefined]>([
    [['noai'], 'noai'],
    [['NoAI, nofollow'], 'noai'],
    [['nofollow', 'noimageindex'], 'noimageindex'],
    [['none'], 'none'],
    [['nofollow, noarchive'], undefined],
    [['otherbot: noai'], undefined],
    [['otherbot: nofollow, noindex'], undefined],
    [['pairmill: noindex'], 'noindex'],
    [['Pairmill/1.0: nofollow, noindex'], 'noindex'],
    [['*: noindex'], 'noindex'],
    // Two header lines that a proxy has joined.
    [['otherbot: noindex, pairmill: noimageai'], 'noimageai'],
    [['pairmill: nofollow, otherbot: noindex'], undefined],
    // img2dataset takes `unavailable_after` for an agent and lets the directive behind it through.
    [['unavailable_after: 25 Jun 2010 15:00:00 PST, noindex'], 'noindex'],
    [['unavailable_after: Wed, 03 Dec 2025 13:09:53 PST, noai'], 'noai'],
    [['max-image-preview: none'], undefined],
    [['max-snippet: 20, noai'], 'noai'],
    [[''], undefined],
    [[], undefined],
  ])('%j -> %s', (headers, expected) => {
    expect(disallowedDirective(headers, 'pairmill', disallowed)).toBe(expected);
  });
});
