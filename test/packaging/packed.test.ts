import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const repository = join(import.meta.dirname, '..', '..');
let folder: string;
let root: string;

/** The tarball of `npm pack`, laid out as npm would in an empty project; the dependencies are links to ours. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pairmill-packed-'));
  execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: repository, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))!;
  const modules = join(folder, 'node_modules');
  root = join(modules, 'pairmill');
  await mkdir(root, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, tarball), '-C', root, '--strip-components=1']);
  const { dependencies, optionalDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string>>;
  for (const name of [...Object.keys(dependencies!), ...Object.keys(optionalDependencies!)]) {
    if (name.includes('/')) await mkdir(join(modules, name, '..'), { recursive: true });
    await symlink(join(repository, 'node_modules', name), join(modules, name));
  }
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const pairmill = (...args: string[]): string => execFileSync(process.execPath, [join(root, 'bin', 'pairmill.js'), ...args], { encoding: 'utf8', cwd: folder });

test('the packed package runs its commands from dist/, with declared dependencies only', async () => {
  const { version } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as { version: string };
  expect(pairmill('--version')).toBe(`${version}\n`);
  expect(pairmill('--help')).toMatch(/\bdemo\b[^]*\bserve\b/);
  expect(pairmill('demo', '--help')).toMatch(/--\[no-\]serve/);
});

test('it holds what the commands read at run time, and no TypeScript of ours', async () => {
  const names = (await readdir(root, { recursive: true })).filter((name) => !name.startsWith('node_modules'));
  for (const wanted of [
    'LICENSE',
    'sql/000001.sql',
    'dist/src/pipeline.js',
    'dist/src/runtime/worker.js',
    'dist/src/demo/origin-worker.js',
    'dist/src/demo/pictures.json.br',
    'dist/src/demo/NOTICE.md',
    'dist/web/index.html',
    'models/mini/config.json',
  ])
    expect(names).toContain(wanted);
  expect(names.filter((name) => /(?<!\.d)\.ts$/.test(name))).toEqual([]);
});
