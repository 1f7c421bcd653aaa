import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test as base } from '@playwright/test';
import { readManifestLinks } from '../src/demo/manifest.ts';
import type { Pair } from '../src/contracts/records.ts';
import { collect, demoRun, releaseRows, rowsBelow } from '../test/pipeline/demo-run.ts';
import { root } from '../test/pipeline/pairmill.ts';
import { chromiumPath } from './chromium.ts';

/** A finished demo run, served, and what the example crawl says of its pictures. */
export interface ServedRun {
  url: string;
  runDir: string;
  /** Emoji (hexcode) of a released picture, by its key in pairs/. */
  emojiOf: ReadonlyMap<string, string>;
}

export const test = base.extend<object, { run: ServedRun }>({
  run: [
    // oxlint-disable-next-line no-empty-pattern -- Playwright reads the names of the fixtures that are needed out of this pattern: none
    async ({}, use) => {
      const runDir = await demoRun();
      const emojiByUrl = new Map((await collect(readManifestLinks(join(runDir, 'crawl')))).map(({ url, emoji }) => [url, emoji]));
      const released = new Set((await releaseRows(runDir)).map(({ hash }) => hash));
      const emojiOf = new Map<string, string>();
      for await (const { hash, key, url } of rowsBelow<Pair>(join(runDir, 'pairs'), ['hash', 'key', 'url'])) {
        const emoji = emojiByUrl.get(url);
        if (released.has(hash) && emoji) emojiOf.set(key, emoji);
      }
      if (!existsSync(join(root, 'dist', 'web', 'index.html'))) throw new Error('The page is not built: node .ci/build-web.ts');
      const server = spawn(process.execPath, [join(root, 'bin', 'pairmill.js'), 'serve', '--input', runDir, '--port', '0'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      try {
        await use({ url: await listening(server), runDir, emojiOf });
      } finally {
        server.kill('SIGTERM');
        await new Promise((resolve) => (server.exitCode === null ? server.once('exit', resolve) : resolve(undefined)));
      }
    },
    { scope: 'worker', timeout: 300_000 },
  ],
  page: async ({ page, run }, use) => {
    const faults: string[] = [];
    page.on('pageerror', ({ message }) => faults.push(message));
    page.on('console', (message) => {
      // A refused request is an error state that a test asks for; anything else is a fault of the page.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
    });
    await page.goto(run.url);
    await use(page);
    if (faults.length > 0) throw new Error(`The page reported: ${faults.join('; ')}`);
  },
});

test.beforeEach(() => {
  test.skip(chromiumPath === undefined, 'no Chromium: apt-get install chromium, or set PAIRMILL_CHROMIUM to its path');
});

function listening(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    server.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const [url] = /http:\/\/localhost:\d+/.exec(text) ?? [];
      if (url) resolve(url);
    });
    server.once('exit', (code) => reject(new Error(`pairmill serve ended with ${code}: ${text}`)));
  });
}

/** Labels of an emoji in a language, by hexcode, as emojibase has them. */
export async function labelsIn(language: string): Promise<ReadonlyMap<string, string>> {
  const records = JSON.parse(await readFile(join(root, 'node_modules/emojibase-data', language, 'data.json'), 'utf8')) as { hexcode: string; label: string }[];
  return new Map(records.map(({ hexcode, label }) => [hexcode, label]));
}
