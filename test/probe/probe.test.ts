import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Pair } from '../../src/contracts/records.ts';
import type { ProbeFindings } from '../../src/probe/probe-findings.ts';
import type { ProbedRow } from '../../src/probe/probe-samples.ts';
import { correlation, quantile, statisticsOf } from '../../src/probe/score-statistics.ts';
import { SeededSample } from '../../src/probe/seeded-sample.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { emojiPicture, type EmojiSample, emojiSamples, writeSamplesShard } from '../stages/emoji-samples.ts';
import { allRows } from '../stages/run-one-stage.ts';

/** What `pairmill …` prints. */
async function pairmill(...argv: string[]): Promise<{ out: string; err: string; code: number }> {
  let [out, err] = ['', ''];
  const code = await runCommandLine(argv, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    terminal: undefined,
    columns: 100,
    signal: new AbortController().signal,
    environment: {},
  });
  return { out, err, code };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'probe-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe('SeededSample', () => {
  const draw = (items: readonly number[], size: number, seed: number): number[] => {
    const sample = new SeededSample<number>(size, seed);
    for (const item of items) sample.offer(String(item), item);
    return sample.items();
  };
  const items = Array.from({ length: 1000 }, (_, i) => i);

  test('draws the same whatever the order, others with another seed, and all where there are fewer', () => {
    expect(draw(items, 100, 1)).toEqual(draw(items.toReversed(), 100, 1));
    expect(new Set([...draw(items, 100, 1), ...draw(items, 100, 2)]).size).toBeGreaterThan(180);
    expect(draw(items.slice(0, 7), 100, 1).sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('draws from everywhere: each item equally often over the seeds', () => {
    const halves = Array.from({ length: 30 }, (_, seed) => draw(items, 100, seed).filter((item) => item < 500).length);
    const mean = halves.reduce((sum, n) => sum + n, 0) / halves.length;
    // 30 draws of 100 with p = 0.5 have a standard error of 0.9.
    expect(Math.abs(mean - 50)).toBeLessThan(4);
  });
});

test('figures are those of numpy', () => {
  // numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6], [0, 25, 50, 90]), std with ddof=1, corrcoef.
  const values = [3, 1, 4, 1, 5, 9, 2, 6];
  const sorted = [...values].sort((a, b) => a - b);
  for (const [share, value] of [
    [0, 1],
    [0.25, 1.75],
    [0.5, 3.5],
    [0.9, 6.9],
  ] as const)
    expect(quantile(sorted, share)).toBeCloseTo(value, 12);
  expect(statisticsOf(values)!.deviation).toBeCloseTo(2.748376143938713, 12);
  expect(correlation(values, [2, 7, 1, 8, 2, 8, 1, 8])).toBeCloseTo(0.209655319073012, 12);
  expect(correlation([1, null, 3, 4], [2, 5, null, 8])).toBeCloseTo(1, 12);
  expect(correlation([1, 1, 1], [1, 2, 3])).toBeNull();
});

const icons = ['dog-face', 'cat-face', 'red-apple', 'red-heart', 'pizza', 'automobile', 'bicycle'];
const words = ['dog', 'cat', 'apple', 'red heart', 'pizza', 'car', 'bicycle'];
/** Right captions for two of three. */
const many: readonly EmojiSample[] = Array.from({ length: 42 }, (_, i) => ({
  icon: icons[i % 7]!,
  caption: `${words[(i + (i % 3 === 0 ? 3 : 0)) % 7]!} ${i}`,
  language: i % 2 === 0 ? 'en' : '',
}));

describe('pairmill probe', () => {
  let run: string;
  beforeAll(async () => {
    run = await mkdtemp(join(tmpdir(), 'probe-run-'));
    await writeSamplesShard(join(run, 'samples'), '00000', [...many.slice(0, 20), { ...emojiSamples[6]!, caption: '<script>alert(1)</script>' }]);
    await writeSamplesShard(join(run, 'samples'), '00001', many.slice(20));
    return () => rm(run, { recursive: true, force: true });
  });

  test('scores a sample of a run without dropping any, and its figures add up', async () => {
    const page = join(await folder(), 'probe.html');
    const { out, code } = await pairmill('probe', run, '--model', 'mini', '--samples', '43', '--json', '--report', page);
    expect(code).toBe(0);
    const findings = JSON.parse(out) as ProbeFindings & { rows: ProbedRow[] };
    expect([findings.samples, findings.of, findings.rows.length]).toEqual([43, 43, 43]);
    const similar = findings.rows.flatMap(({ scores }) => scores['similarity'] ?? []);
    expect(similar).toHaveLength(42);
    const filter = Object.fromEntries(findings.filters.map((each) => [each.filter, each]));
    expect(filter['similarity']!.drops).toBe(similar.filter((similarity) => similarity < 0.156).length);
    expect(filter['similarity']!.drops).toBeGreaterThan(5);
    expect(filter['decode-failed']).toMatchObject({ drops: 1, onlyIt: 1 });
    const all = findings.kept.groups.find(({ group }) => group === 'all')!;
    for (const [i, threshold] of findings.kept.thresholds.entries())
      expect(all.shares[i]).toBe(similar.filter((similarity) => similarity >= threshold).length / 42);
    expect(findings.kept.groups.map(({ group, n }) => [group, n])).toEqual([
      ['all', 42],
      ['set en', 21],
      ['set nolang', 21],
      ['en', 21],
    ]);
    const { names, matrix } = findings.correlations;
    expect(matrix[names.indexOf('similarity')]![names.indexOf('similarity')]).toBeCloseTo(1, 12);
    const html = await readFile(page, 'utf8');
    expect(html.match(/<img /g)!.length).toBeGreaterThan(16);
    expect(html).not.toContain('<script>');
    expect(html).not.toMatch(/NaN|undefined/);
  });

  test('draws the same samples again, and others with another seed', async () => {
    const keys = async (seed: string): Promise<string[]> => {
      const { out } = await pairmill('probe', join(run, 'samples'), '--model', 'mini', '--samples', '12', '--seed', seed, '--json');
      return (JSON.parse(out) as { rows: ProbedRow[] }).rows.map(({ key }) => key);
    };
    const [once, again, other] = [await keys('1'), await keys('1'), await keys('2')];
    expect(once).toHaveLength(12);
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
  });

  test('writes a configuration that run takes, with which the share is kept that was asked for', async () => {
    const own = await folder();
    const config = join(own, 'thresholds.yaml');
    const { out } = await pairmill('probe', run, '--model', 'mini', '--samples', '100', '--percentile', '50', '--write-config', config);
    expect(out).toMatch(/50 % lie below 0\.\d+ \(en\), 0\.\d+ \(nolang\)/);
    const { code } = await pairmill('run', config, '--until', 'filter', '--quiet', '--workers', '1');
    expect(code).toBe(0);
    const kept = await allRows<Pair>(join(own, 'thresholds-run', 'pairs'));
    expect(kept.filter(({ language }) => language === 'en').length).toBe(11);
    expect(kept.filter(({ language }) => language === '').length).toBe(11);
  });

  test('a folder of pictures with texts beside them is probed too, and one without any is refused', async () => {
    const pictures = await folder();
    for (const [i, icon] of icons.entries()) {
      await writeFile(join(pictures, `${i}.jpg`), await emojiPicture(icon));
      await writeFile(join(pictures, `${i}.txt`), words[i]!);
    }
    const { out } = await pairmill('probe', pictures, '--model', 'mini', '--samples', '5', '--json', '--language-detector', 'none');
    const { rows, of } = JSON.parse(out) as ProbeFindings & { rows: ProbedRow[] };
    expect([of, rows.length]).toEqual([7, 5]);
    for (const { scores } of rows) expect(scores['similarity']).toBeGreaterThan(0.156);
    const empty = join(pictures, 'empty');
    await mkdir(empty);
    await expect(pairmill('probe', empty, '--model', 'mini')).rejects.toThrow(/The folder .*empty holds no tar/);
    await expect(pairmill('probe')).rejects.toThrow(/nothing is given to look at/);
  });
});
