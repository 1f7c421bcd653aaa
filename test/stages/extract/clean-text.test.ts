import { describe, expect, it } from 'vitest';
import { captionColumns } from '../../../src/stages/extract/caption-columns.ts';
import { repetitionShare } from '../../../src/stages/extract/repetition-share.ts';
import { cutText } from '../../../src/formats/cut-text.ts';
import { cleanText, codePoints, repairMojibake } from '../../../src/stages/extract/clean-text.ts';
import { randomSource } from '../../random-source.ts';

const misread = (text: string, encoding: 'latin1' | 'windows-1252'): string =>
  encoding === 'latin1' ? Buffer.from(text).toString('latin1') : new TextDecoder('windows-1252').decode(Buffer.from(text));

describe('cleanText', () => {
  it('collapses white space, takes control and direction characters out, composes', () => {
    expect(cleanText('  a\t\tb\r\nc\u00a0\u2003d\u0000\u0007\u202e\ufeff ')).toBe('a b c d');
    expect(cleanText('e\u0301')).toBe('é');
    expect(cleanText('👩\u200d👩\u200d👧 family')).toBe('👩\u200d👩\u200d👧 family');
    expect(cleanText('a\ud800b')).toBe('a\ufffdb');
    expect(cleanText('\u0000 \u200b')).toBe('');
  });

  it.each([
    'grün wie Gras',
    'déjà vu',
    'kosz na śmieci',
    'Привет, мир',
    'Ελληνικά',
    '日本語の説明',
    'hôtel à Győr',
    'žest',
    'a “quoted” word',
    'emoji 😀 here',
    'नमस्ते',
  ])('repairs %s read as Latin-1 or windows-1252, once and twice', (text) => {
    for (const encoding of ['latin1', 'windows-1252'] as const) {
      expect(repairMojibake(misread(text, encoding))).toBe(text);
      expect(repairMojibake(misread(misread(text, encoding), encoding))).toBe(text);
    }
  });

  it.each([
    'CAFÉ®',
    'CAFÉ™ CLICHÉ®',
    'VOILÀ…',
    'naïve café – “déjà vu”',
    'SMÅ®',
    'Ä Ö Ü',
    '100 °C ± 5',
    'Ærø',
    'Ελληνικά »',
    '«Ñandú»',
    'ÎLE-DE-FRANCE',
    'Þór',
  ])('leaves %s as it is', (text) => {
    expect(repairMojibake(text)).toBe(text);
  });

  it('is idempotent and well-formed on random text', () => {
    const random = randomSource(11);
    for (let i = 0; i < 5000; i++) {
      const text = Array.from({ length: random.below(12) }, () =>
        String.fromCharCode(random.pick([random.below(128), random.below(256), random.below(0x3000), 0xd800 + random.below(0x800), 0x20])),
      ).join('');
      const once = cleanText(text);
      expect(once.isWellFormed()).toBe(true);
      expect(/[\u0000-\u001f\u007f-\u009f]|\s\s|^\s|\s$/.test(once)).toBe(false);
      expect(once.normalize('NFC')).toBe(once);
    }
  });

  it('cuts at a code point', () => {
    expect(cutText('a😀b', 2)).toEqual({ text: 'a😀', cut: true });
    expect(cutText('a😀b', 3)).toEqual({ text: 'a😀b', cut: false });
    expect(cutText('a b', 2)).toEqual({ text: 'a', cut: true });
    expect([codePoints('a😀b'), codePoints(''), codePoints('😀')]).toEqual([3, 0, 1]);
  });
});

describe('captionColumns', () => {
  it('counts words, characters, letters and digits, and the rest', () => {
    expect(captionColumns('A red apple, 2 €!')).toEqual({ words: 5, characters: 17, alphanumeric_share: 10 / 17, special_share: 3 / 17, repetition_share: 0 });
    expect(captionColumns('日本😀')).toMatchObject({ words: 1, characters: 3, alphanumeric_share: 2 / 3, special_share: 1 / 3 });
    expect(captionColumns('')).toEqual({ words: 0, characters: 0, alphanumeric_share: 0, special_share: 0, repetition_share: 0 });
  });

  it('measures the longest repeated run of words', () => {
    const share = (text: string): number => captionColumns(text).repetition_share;
    expect(share('a b c d')).toBe(0);
    expect(share('a b a c')).toBe(0.5);
    expect(share('buy now buy now buy now')).toBe(1);
    expect(share('x a b c y a b c')).toBe(0.75);
    expect(share('a a a a')).toBe(1);
    expect(share('a')).toBe(0);
    // Words of equal hashes that are not equal: "Aa" and "BB".
    expect(share('Aa BB')).toBe(0);
    expect(share('Aa BB Aa')).toBe(2 / 3);
  });

  it('measures short texts and long ones alike', () => {
    const random = randomSource(4);
    const pool = ['the', 'of', 'photo', 'The', 'Aa', 'BB', 'Ünï', '日本', '😀', 'é'];
    for (let i = 0; i < 3000; i++) {
      const kinds = 1 + random.below(pool.length);
      const words = Array.from({ length: 1 + random.below(64) }, () => pool[random.below(kinds)]!);
      expect(captionColumns(words.join(' ')).repetition_share, words.join(' ')).toBe(repetitionShare(words));
    }
  });
});
