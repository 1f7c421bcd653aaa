import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * Builds the search page into dist/web: `prepare` in a clone, and before packing. Where the devDependencies are absent
 * (`npm install --omit=dev`) there is nothing to build it with, and the server says so in place of the page.
 */
const root = join(import.meta.dirname, '..');

let vitePresent = true;
try {
  createRequire(import.meta.url).resolve('vite');
} catch {
  vitePresent = false;
}

if (!vitePresent) {
  console.error('The search page was not built: vite, a devDependency, is not installed.');
} else {
  const { build } = await import('vite');
  await build({ configFile: join(root, 'web', 'vite.config.ts'), logLevel: 'warn' });
  if (!existsSync(join(root, 'dist', 'web', 'index.html'))) throw new Error('vite wrote no dist/web/index.html');
}
