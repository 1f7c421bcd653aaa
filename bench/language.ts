import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { languageTexts } from '../test/local-paths.ts';
import { languageDetectors, type LanguageDetectorName } from '../src/language/load-language-detector.ts';
import { harder, harderTexts } from './language/harder-texts.ts';
import { labelledTexts } from './language/labelled-texts.ts';
import { bucketOf, half, type LabelledText } from './language/length-bucket.ts';
import { bestThreshold, type Outcomes, outcomesAt, type Detection, sameLanguage } from './language/outcome-table.ts';
import { laionCaptions, warcTexts } from './language/real-texts.ts';
import { lengthNames, outcomeOf } from './language/text-weights.ts';
import type { BenchResult } from './main.ts';

const names = Object.keys(languageDetectors) as LanguageDetectorName[];
type Rows = BenchResult['rows'];

/**
 * The language detectors side by side on labelled short texts, on harder texts and on real alt texts; and
 * the choice of their thresholds. Option: the folder that bench/language/data.sh has filled (`languageTexts` of test/local-paths.ts).
 */
export async function run([folder = languageTexts]: string[]): Promise<BenchResult> {
  if (!existsSync(join(folder, 'lingua')) || !existsSync(join(folder, 'names'))) {
    const missing = [`all of it: there are no labelled texts in ${folder} (bench/language/data.sh ${folder} gets them)`];
    return { title: 'language: skipped', rows: [], ratios: {}, missing };
  }
  const all = await labelledTexts(folder);
  const found = of(all);
  const chosen = Object.fromEntries(names.map((name) => [name, bestThreshold(half(all, 0), half(found[name].detections, 0))])) as Record<
    LanguageDetectorName,
    number
  >;
  const reported = half(all, 1);
  const table: Rows = [];
  const ownRows: Rows = [];
  for (const name of names) {
    const each = half(found[name].detections, 1);
    const steps = [...new Set([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, chosen[name]])].sort((a, b) => a - b);
    for (const step of steps)
      table.push({ detector: name, threshold: step, chosen: step === chosen[name] ? '*' : '', ...row(outcomesAt(step, reported, each)) });
    ownRows.push(...byLength(name, languageDetectors[name].threshold, reported, each));
  }
  const more = [
    { title: 'By length, at the default thresholds', rows: ownRows },
    { title: 'By kind of text: right outcome and code, at the default thresholds', rows: byKind(reported, (name) => half(found[name].detections, 1)) },
    { title: 'Harder texts: right outcome and code, at the default thresholds; raw: the bare detector without preparation', rows: onHarder(all) },
    ...(await onReal()),
  ];
  const differs = names.filter((name) => chosen[name] !== languageDetectors[name].threshold);
  return {
    title:
      `language: ${all.length} labelled texts; thresholds chosen on one half (where most come out right), this is the other. ` +
      `Mix of outcomes as in LAION-5B, lengths as its captions. Chosen: ${names.map((name) => `${name} ${chosen[name]}`).join(', ')}` +
      (differs.length > 0 ? ` (the defaults differ: ${differs.join(', ')})` : ' (these are the defaults)'),
    rows: table,
    more,
    ratios: Object.fromEntries(
      names.map((name) => [`${name}_right`, outcomesAt(languageDetectors[name].threshold, reported, half(found[name].detections, 1)).right]),
    ),
  };
}

function byLength(name: LanguageDetectorName, threshold: number, texts: LabelledText[], detections: Detection[]): Rows {
  return ['all', ...lengthNames].map((length) => {
    const within = texts.map(({ text }) => length === 'all' || bucketOf(text) === length);
    const [some, each] = [texts.filter((_, i) => within[i]), detections.filter((_, i) => within[i])];
    return { detector: name, threshold, length, ...row(outcomesAt(threshold, some, each)) };
  });
}

function byKind(texts: LabelledText[], detections: (name: LanguageDetectorName) => Detection[]): Rows {
  const kinds = texts.map(({ source, language }) => `${source}${language === '' ? '' : language === 'en' ? ', en' : ', other'}`);
  return [...new Set(kinds)].sort().map((kind) => {
    const places = kinds.flatMap((each, i) => (each === kind ? [i] : []));
    const right = (name: LanguageDetectorName): number => {
      const each = detections(name);
      const { threshold } = languageDetectors[name];
      const count = places.filter((i) => sameLanguage(each[i]!.confidence >= threshold ? each[i]!.code : '', texts[i]!.language)).length;
      return percent(count / places.length);
    };
    return { kind, texts: places.length, ...Object.fromEntries(names.map((name) => [name, right(name)])) };
  });
}

function onHarder(all: LabelledText[]): Rows {
  const rows: Rows = [];
  for (const way of Object.keys(harderTexts)) {
    const texts = harder(way, half(all, 1), 3);
    // Its place in the mix is that of the text it was made of.
    const places = harder('as it is', half(all, 1), 3);
    const [shown, raw] = [of(texts), of(texts, 'raw')];
    const right = (each: Detection[], name: LanguageDetectorName): number => percent(outcomesAt(languageDetectors[name].threshold, places, each).right);
    rows.push({
      texts: way,
      ...Object.fromEntries(
        names.flatMap((name) => [
          [name, right(shown[name].detections, name)],
          [`${name} raw`, right(raw[name].detections, name)],
        ]),
      ),
    });
  }
  return rows;
}

/** Texts without labels: the share of each outcome, how often the three agree, speed and memory. */
async function onReal(): Promise<{ title: string; rows: Rows }[]> {
  const sources: [string, string[]][] = [
    ["10 000 captions of LAION's (most in English)", (await laionCaptions()).map(({ text }) => text)],
    ['alt texts of 3 WARC files', await warcTexts()],
  ];
  return sources.flatMap(([title, texts]) => {
    if (texts.length === 0) return [{ title: `${title}: not here`, rows: [] }];
    const found = of(texts.map((text) => ({ text, language: '', source: 'caption' })));
    const kept = (name: LanguageDetectorName, i: number): string => {
      const { code, confidence } = found[name].detections[i]!;
      return confidence >= languageDetectors[name].threshold ? code : '';
    };
    // Where all three name the same language, whatever their confidence, it is taken for the right one.
    const agreed = texts.map((_, i) =>
      names.every((name) => found[name].detections[i]!.code === found[names[0]!].detections[i]!.code) ? found[names[0]!].detections[i]!.code : undefined,
    );
    const english = agreed.flatMap((code, i) => (code === 'en' ? [i] : []));
    const share = (count: number, whole = texts.length): number => percent(count / whole);
    const rows: Rows = names.map((name) => {
      const outcomes = texts.map((_, i) => outcomeOf(kept(name, i)));
      return {
        detector: name,
        texts: texts.length,
        'en %': share(outcomes.filter((each) => each === 'en').length),
        'other %': share(outcomes.filter((each) => each === 'other').length),
        'none %': share(outcomes.filter((each) => each === 'none').length),
        'en of agreed English %': share(english.filter((i) => kept(name, i) === 'en').length, english.length),
        ...Object.fromEntries(names.map((other) => [`as ${other} %`, share(texts.filter((_, i) => kept(name, i) === kept(other, i)).length)])),
        'texts/CPU s': Math.round(texts.length / found[name].cpu),
        MB: Math.round(found[name].mb),
      };
    });
    const all = share(texts.filter((_, i) => names.every((name) => kept(name, i) === kept(names[0]!, i))).length);
    return [{ title: `${title}: the three say the same of ${all} %; they name English as the likeliest of ${share(english.length)} % alike`, rows }];
  });
}

function row({ texts, ...shares }: Outcomes): Record<string, number> {
  const labels: Record<keyof typeof shares, string> = {
    enPrecision: 'en precision',
    enCoverage: 'en coverage',
    otherPrecision: 'other precision',
    rightCode: 'right code',
    otherCoverage: 'other coverage',
    noneKept: 'none kept',
    right: 'right',
  };
  return { texts, ...Object.fromEntries(Object.entries(shares).map(([key, value]) => [labels[key as keyof typeof shares], percent(value)])) };
}

function percent(share: number): number {
  return Math.round(share * 1000) / 10;
}

/** What each detector says of texts, without a threshold, each in a process of its own. */
function of(
  texts: readonly LabelledText[],
  mode: 'shown' | 'raw' = 'shown',
): Record<LanguageDetectorName, { detections: Detection[]; cpu: number; mb: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'pairmill-bench-language-'));
  try {
    const file = join(folder, 'texts.json');
    writeFileSync(file, JSON.stringify(texts.map(({ text }) => text)));
    const one = (name: string): unknown =>
      JSON.parse(execFileSync(process.execPath, [join(import.meta.dirname, 'language/detect.ts'), name, file, mode], { maxBuffer: 2 ** 30 }).toString());
    return Object.fromEntries(names.map((name) => [name, one(name)])) as ReturnType<typeof of>;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
