import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LanguageDetector } from '../../src/language/language-detector.ts';
import { type LanguageDetectorName, languageDetectors, loadLanguageDetector } from '../../src/language/load-language-detector.ts';

/** All three say the same of these. */
const TEXTS: [code: string, text: string][] = [
  ['en', 'The red apple is lying on the table in the kitchen'],
  ['en', 'a dog in the snow'],
  ['en', "MEN'S LEATHER SHOES WITH LACES"],
  ['en', 'girl-on-the-beach-with-her-dog'],
  ['de', 'Das Schloss Neuschwanstein im Winter mit Schnee'],
  ['fr', 'Un chien court dans la neige'],
  ['es', 'Un perro corriendo en la nieve'],
  ['no', 'Hunden løper i snøen med en rød ball'],
  ['el', 'ένα σκυλί στο χιόνι'],
  ['ru', 'Красное яблоко лежит на столе на кухне'],
  ['ar', 'صورة كلب على الشاطئ'],
  ['ja', '夜の東京タワー'],
  ['ko', '빨간 사과가 식탁 위에 있다'],
  ['zh', '我们每天早上在公园里和朋友们一起跑步'],
  ['hi', 'लाल सेब मेज पर रखा है'],
  ['th', 'แมวนั่งอยู่บนโต๊ะ'],
  // CLD3 names them iw and fil.
  ['he', 'כלב על החוף'],
  ['tl', 'Ang pulang mansanas ay nasa ibabaw ng mesa sa kusina'],
];

const WITHOUT = [
  '',
  ' ',
  'ab',
  '12:30 - 14:45',
  '1920x1080',
  'DSC01234',
  '6528e95bff74711f86b995b8d1159863',
  '🍎🍎🍎',
  'http://www.example.com/some/page.html',
];

const names = Object.keys(languageDetectors) as LanguageDetectorName[];

describe.each(names)('%s', (name) => {
  let detector: LanguageDetector;
  let whatever: LanguageDetector;
  beforeAll(async () => {
    detector = await loadLanguageDetector(name);
    whatever = await loadLanguageDetector(name, 0);
  });
  afterAll(() => {
    detector.close();
    whatever.close();
  });

  it.each(TEXTS)('says %s of: %s', (code, text) => {
    const found = detector.detect(text);
    expect(found?.code).toBe(code);
    expect(found?.confidence).toBeGreaterThanOrEqual(languageDetectors[name].threshold);
    expect(found?.confidence).toBeLessThanOrEqual(1);
  });

  it.each(WITHOUT)('says nothing of %j', (text) => {
    expect(whatever.detect(text)).toBeUndefined();
  });

  it('says nothing below the threshold', async () => {
    const strict = await loadLanguageDetector(name, 1);
    expect(whatever.detect('Schönbrunn')).toBeDefined();
    expect(strict.detect('Schönbrunn')).toBeUndefined();
    strict.close();
  });

  it('reads past a NUL, over lone surrogates and direction marks', () => {
    expect(detector.detect('x\0The red apple is lying on the table')?.code).toBe('en');
    expect(detector.detect('The red apple \ud800 is lying \udfff on the table')?.code).toBe('en');
    expect(detector.detect('The red apple is lying on the table \ud83c')?.code).toBe('en');
    expect(detector.detect('\u200f\u202bשלום לכולם, איך אתם היום\u202c')?.code).toBe('he');
  });

  it('answers to a megabyte of anything', () => {
    expect(detector.detect('The red apple is lying on the table. '.repeat(30_000))?.code).toBe('en');
    for (const piece of ['a', '\ud800', '\0', '-a-', 'www.', 'http://x ', '1x', 'e\u0301\u0302', '😀', '\u202e', 'ab1', '\n']) {
      const found = whatever.detect(piece.repeat(1_000_000 / piece.length));
      if (found) expect(found).toEqual({ code: expect.stringMatching(/^[a-z]{2,3}$/), confidence: expect.any(Number) });
    }
  });

  it('gives each text back what it took: CLD3 has 16 MB in all', () => {
    const long = 'The red apple is lying on the table. '.repeat(270);
    for (let i = 0; i < 2_000; i++) whatever.detect(long);
    expect(detector.detect(long)?.code).toBe('en');
  });

  it('is loaded and closed again and again', async () => {
    for (let i = 0; i < 5; i++) {
      const each = await loadLanguageDetector(name);
      expect(each.detect('The red apple is lying on the table')?.code).toBe('en');
      each.close();
    }
    // Another's end is not ours.
    expect(detector.detect('The red apple is lying on the table')?.code).toBe('en');
  });

  it('names languages by ISO 639-1 or 639-3, without a script', () => {
    const texts = [
      'Zdravo svijete, kako ste danas',
      'ni hao ma, wo hen gao xing',
      'Privet, kak u tebya dela segodnya',
      'Wie gohts eu hüt, mir gohts guet',
      'नेपाली भाषा',
      'မြန်မာ',
    ];
    // eld does not know all of these scripts.
    for (const text of texts) expect(whatever.detect(text)?.code ?? 'und').toMatch(/^[a-z]{2,3}$/);
  });
});
