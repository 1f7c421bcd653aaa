import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateEmojiWeb } from '../../../src/demo/generate.ts';
import { readManifestLinks } from '../../../src/demo/manifest.ts';
import type { Candidate } from '../../../src/contracts/records.ts';
import { extract } from '../../../src/stages/extract/extract.ts';
import { allRows, runOneStage } from '../run-one-stage.ts';

let base: string;
let labels: Map<string, string | null>;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-language-'));
  await generateEmojiWeb({ folder: join(base, 'web'), candidates: 400, pictures: 40, crawlFiles: 2 });
  labels = new Map((await Array.fromAsync(readManifestLinks(join(base, 'web')))).map((link) => [`${link.crawl_file} ${link.url}`, link.language]));
});
afterAll(() => rm(base, { recursive: true }));

async function run(output: string, options: Record<string, unknown>) {
  const { shards } = await runOneStage(extract, base, options, { input: join(base, 'web/wat'), output: join(base, output) });
  const marker = JSON.parse(await readFile(join(base, output, '00000_stats.json'), 'utf8')) as { language: unknown };
  expect(shards.length).toBe(2);
  return { rows: await allRows<Candidate>(join(base, output)), marker };
}

describe('extract on the example crawl', () => {
  it.each([
    ['fasttext', 0.5],
    ['cld3', 0.9],
    ['eld', 0.45],
  ])('with %s', async (languageDetector, threshold) => {
    const { rows, marker } = await run(languageDetector, { languageDetector });
    expect(marker.language).toEqual({ detector: languageDetector, threshold });
    const found = rows.filter(({ language }) => language !== '');
    for (const row of rows) {
      if (row.language === '') expect(row.language_confidence).toBe(0);
      else {
        expect(row.language).toMatch(/^[a-z]{2,3}$/);
        expect(row.language_confidence).toBeGreaterThanOrEqual(Math.fround(threshold));
        expect(row.language_confidence).toBeLessThanOrEqual(1);
      }
    }
    // The texts are names and tags of emoji, a word or some, so many stay without.
    expect(found.length).toBeGreaterThan(rows.length * 0.4);
    const labelled = found.filter((row) => labels.get(`${row.crawl_file} ${row.url}`) != null);
    const right = labelled.filter((row) => labels.get(`${row.crawl_file} ${row.url}`) === row.language);
    expect(right.length).toBeGreaterThan(labelled.length * 0.75);
  });

  it('with a threshold that was asked for', async () => {
    const { rows, marker } = await run('strict', { languageThreshold: 0.99 });
    expect(marker.language).toEqual({ detector: 'fasttext', threshold: 0.99 });
    for (const row of rows) if (row.language !== '') expect(row.language_confidence).toBeGreaterThanOrEqual(Math.fround(0.99));
  });

  it('with none', async () => {
    const { rows, marker } = await run('none', { languageDetector: 'none' });
    expect(marker.language).toEqual({ detector: 'none' });
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.every(({ language, language_confidence }) => language === '' && language_confidence === 0)).toBe(true);
  });

  it.each(['cld3', 'eld'])('with %s in worker threads', async (detector) => {
    const args = ['src/cli/main.ts', 'extract', '--input', join(base, 'web/wat'), '--run-dir', join(base, `threads-${detector}`), '--workers', '2'];
    const { status, stderr } = spawnSync(process.execPath, [...args, '--language-detector', detector, '--quiet'], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const alone = await run(`alone-${detector}`, { languageDetector: detector });
    expect(await allRows(join(base, `threads-${detector}`, 'candidates'))).toEqual(alone.rows);
  });
});

describe('the packages of the detectors', () => {
  it('are loaded only when chosen', () => {
    const loaded = (detector: string): string => {
      const script = `
        const { registerHooks } = await import('node:module');
        const seen = new Set();
        registerHooks({ load(url, context, next) { for (const name of ['fasttext.wasm.js', 'cld3-asm', 'eld']) if (url.includes('/node_modules/' + name + '/')) seen.add(name); return next(url, context); } });
        const { loadLanguageDetector } = await import('./src/language/load-language-detector.ts');
        await import('./src/stages/extract/extract.ts');
        const before = [...seen];
        ${detector === '' ? '' : `await loadLanguageDetector('${detector}');`}
        console.log(JSON.stringify([before, [...seen]]));`;
      return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout.trim();
    };
    expect(loaded('')).toBe('[[],[]]');
    expect(loaded('eld')).toBe('[[],["eld"]]');
    expect(loaded('cld3')).toBe('[[],["cld3-asm"]]');
    expect(loaded('fasttext')).toBe('[[],["fasttext.wasm.js"]]');
  });
});
