import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Makes dist/ for the published package (npm's `prepack`): src/ as JavaScript with imports of .js, as Node
 * strips no types under node_modules, the pictures of the demo beside its code, and the web page in dist/web.
 */
const root = dirname(import.meta.dirname);
const run = (...args: string[]): void => {
  // stdout belongs to npm: `npm pack --json` prints there.
  execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
};

rmSync(join(root, 'dist'), { recursive: true, force: true });
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
run(join(typescript, 'bin', 'tsc'), '--project', 'tsconfig.build.json');
for (const name of ['pictures.json.br', 'NOTICE.md']) copyFileSync(join(root, 'src/demo', name), join(root, 'dist/src/demo', name));
const web = join(root, '.ci', 'build-web.ts');
if (existsSync(web)) run(web);
