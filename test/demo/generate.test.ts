import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateEmojiWeb } from '../../src/demo/generate.ts';
import type { Kind } from '../../src/demo/kinds.ts';
import { makeTinyWeb, type TinyWeb } from './tiny-web.ts';

let web: TinyWeb;
beforeAll(async () => {
  web = await makeTinyWeb();
});
afterAll(() => web.remove());

function ofKind(kind: Kind): TinyWeb['links'] {
  return web.links.filter((link) => link.kind === kind);
}

/** Every file and its digest. */
function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    names
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted()
      .map((path) => [path.slice(folder.length), createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );
}

describe('the same web again', () => {
  test('two runs with one seed write the same bytes', async () => {
    const again = await makeTinyWeb();
    expect(contents(again.folder)).toEqual(contents(web.folder));
    again.remove();
  });

  test('another seed writes another web', async () => {
    const other = await makeTinyWeb({ seed: 2, candidates: 100 });
    const urls = new Set(web.links.map(({ url }) => url));
    expect(other.links.filter(({ kind, url }) => kind === 'right' && urls.has(url)).length).toBeLessThan(10);
    other.remove();
  });

  test('a complete folder is left as it is; one without its marker, or of other options, is made again', async () => {
    const made = await makeTinyWeb({ candidates: 60 });
    const { folder } = made;
    const options = { folder, candidates: 60, pictures: 60, crawlFiles: 3 };
    const before = contents(folder);
    const [picture = ''] = readdirSync(join(folder, 'pictures'));
    writeFileSync(join(folder, 'pictures', picture), 'touched');
    await generateEmojiWeb(options);
    expect(readFileSync(join(folder, 'pictures', picture), 'utf8')).toBe('touched');
    rmSync(join(folder, 'complete.json'));
    writeFileSync(join(folder, 'kept.txt'), 'not the generator’s');
    await generateEmojiWeb(options);
    expect(contents(folder)).toEqual({ ...before, '/kept.txt': expect.any(String) });
    expect((await generateEmojiWeb({ ...options, candidates: 70 })).counts.right).toBe(70);
    made.remove();
  });
});

describe('the links', () => {
  test('counts are those of the lines, and each kind is there', () => {
    const counts = Object.fromEntries([...Map.groupBy(web.links, ({ kind }) => kind)].map(([kind, links]) => [kind, links.length]));
    expect(web.manifest.counts).toEqual(counts);
    expect(web.manifest.counts.right).toBe(600);
    expect(Math.min(...Object.values(web.manifest.counts))).toBeGreaterThanOrEqual(3);
    expect(web.manifest.links).toBe(web.links.length);
  });

  test('every link has a URL of its own, but for planted duplicates and data URLs', () => {
    const own = web.links.filter(({ kind }) => !kind.startsWith('duplicate-') && kind !== 'data-url');
    expect(new Set(own.map(({ url }) => url)).size).toBe(own.length);
    const pairs = new Set(ofKind('right').map(({ picture, text }) => `${picture} ${text}`));
    expect(pairs.size).toBe(600);
  });

  test('a duplicate comes after its right link: in its file, or in a later one', () => {
    const first = new Map<string, { at: number; kind: Kind; file: string }>();
    web.links.forEach(({ url, kind, crawl_file: file }, at) => {
      const original = first.get(url);
      if (!kind.startsWith('duplicate-')) first.set(url, { at, kind, file });
      else expect(original?.kind, url).toBe('right');
      if (kind === 'duplicate-url-in-file') expect(original?.file).toBe(file);
      if (kind === 'duplicate-url-across-files') expect(Number.parseInt(original?.file ?? '9')).toBeLessThan(Number.parseInt(file));
    });
  });

  test('right captions have five characters, and are in 25 languages', () => {
    for (const kind of ['right', 'redirect', 'slow-body', 'near-duplicate', 'x-robots-other', 'wrong-caption'] as const) {
      for (const { text, language } of ofKind(kind)) {
        expect([...text.trim()].length, text).toBeGreaterThanOrEqual(5);
        expect(language).toMatch(/^[a-z]{2}$/);
      }
    }
    expect(Object.keys(web.manifest.languages)).toHaveLength(25);
  });

  test('texts are at fault as their kind says', () => {
    for (const { text } of ofKind('short-alt')) expect([...text].length, text).toSatisfy((length: number) => length > 0 && length < 5);
    for (const { text } of ofKind('no-alt')) expect(text).toBe('');
    for (const { text } of ofKind('long-text')) expect([...text].length).toBeGreaterThan(2000);
    for (const { text, repaired } of ofKind('mojibake-text')) {
      expect(text).not.toBe(repaired);
      expect(Buffer.from(repaired ?? '').equals(toWindows1252(text)), text).toBe(true);
    }
    for (const { emoji, text_emoji: other } of ofKind('wrong-caption')) expect(other).not.toBe(emoji);
    for (const { language } of ofKind('name-no-language')) expect(language).toBeNull();
  });

  test('URLs are at fault as their kind says', () => {
    for (const { url } of ofKind('long-url')) expect(url.length).toBeGreaterThan(2000);
    for (const { url } of ofKind('bad-host')) expect(new URL(url).hostname.length).toBeGreaterThan(60);
    for (const { url } of ofKind('svg-url')) expect(new URL(url).pathname).toMatch(/\.svg$/i);
    for (const { url } of ofKind('gif-url')) expect(new URL(url).pathname).toMatch(/\.gif$/i);
    for (const { url } of ofKind('private-address')) expect(new URL(url).hostname).toMatch(/^(10|192\.168|169\.254|172\.16|100\.64|127|0)\.|^localhost$|^\[/);
    for (const { url, kind } of web.links) if (kind !== 'long-url' && kind !== 'data-url') expect(url.length, url).toBeLessThan(500);
    for (const { url } of ofKind('right')) expect(url).toMatch(/^http:\/\/[a-z0-9.-]{3,60}\.test\//);
  });
});

describe('the pictures', () => {
  const goodKinds = ['right', 'wrong-caption', 'near-duplicate', 'redirect', 'mojibake-text'] as const;

  test('are pictures of 256 to 1200 pixels and over 5000 bytes, of three formats, each distinct', async () => {
    const files = new Set(goodKinds.flatMap((kind) => ofKind(kind).map(({ picture }) => picture ?? '')));
    const formats = new Set<string>();
    const digests = new Set<string>();
    for (const file of files) {
      const bytes = readFileSync(join(web.folder, 'pictures', file));
      const { width, height, format } = await sharp(bytes).metadata();
      expect(bytes.length, file).toBeGreaterThanOrEqual(5000);
      if (!file.startsWith('near-')) expect(Math.min(width, height), file).toBeGreaterThanOrEqual(256);
      expect(Math.max(width, height)).toBeLessThanOrEqual(1248);
      expect(Math.max(width, height) / Math.min(width, height)).toBeLessThanOrEqual(2.01);
      formats.add(format);
      digests.add(createHash('sha256').update(bytes).digest('hex'));
    }
    expect([...formats].toSorted()).toEqual(['jpeg', 'png', 'webp']);
    expect(digests.size).toBe(files.size);
  });

  test('planted files are at fault as their kind says, and in no other way', async () => {
    const open = (file: string | null): Sharp => sharp(join(web.folder, 'pictures', file ?? ''), { failOn: 'truncated' });
    const size = (file: string | null): number => statSync(join(web.folder, 'pictures', file ?? '')).size;
    for (const { picture } of ofKind('tiny-file')) {
      expect(size(picture)).toBeLessThan(5000);
      await open(picture).raw().toBuffer();
    }
    for (const kind of ['broken-image', 'truncated-image', 'pixel-bomb', 'svg-content', 'gif-content'] as const) {
      for (const { picture } of ofKind(kind)) expect(size(picture), kind).toBeGreaterThanOrEqual(5000);
    }
    for (const { picture } of ofKind('broken-image')) await expect(open(picture).metadata()).rejects.toThrow();
    for (const { picture } of ofKind('truncated-image')) {
      expect((await open(picture).metadata()).width).toBe(400);
      await expect(open(picture).raw().toBuffer()).rejects.toThrow();
    }
    const bomb = ofKind('pixel-bomb')[0]?.picture ?? '';
    await expect(open(bomb).metadata()).rejects.toThrow(/pixel limit/);
    expect(await sharp(join(web.folder, 'pictures', bomb), { limitInputPixels: false }).metadata()).toMatchObject({ width: 20_000, height: 20_000 });
    expect((await open(ofKind('svg-content')[0]?.picture ?? '').metadata()).format).toBe('svg');
    expect((await open(ofKind('gif-content')[0]?.picture ?? '').metadata()).format).toBe('gif');
  });
});

/** The bytes that windows-1252 reads as this text. */
function toWindows1252(text: string): Buffer {
  const decoder = new TextDecoder('windows-1252');
  const byteOf = new Map(Array.from({ length: 256 }, (_, byte) => [decoder.decode(Buffer.from([byte])), byte]));
  return Buffer.from(Array.from(text, (letter) => byteOf.get(letter) ?? 0));
}
