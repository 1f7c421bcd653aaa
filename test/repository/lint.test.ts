import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * Plants violations of the house rules in a copy of the layout and sees the linter catch each. The table of who may
 * import whom is written out here again, from ARCHITECTURE.md, so that a slip in oxlint.config.ts shows.
 */
const root = join(import.meta.dirname, '../..');
const io = ['storage', 'net', 'db'];
const engines = ['models', 'knn', 'runtime'];
const mayImport: Record<string, string[]> = {
  contracts: [],
  formats: ['contracts'],
  ...Object.fromEntries([...io, 'demo'].map((room) => [room, ['contracts', 'formats']])),
  ...Object.fromEntries(engines.map((room) => [room, ['contracts', 'formats', ...io]])),
  stages: ['contracts', 'formats', ...io, ...engines],
  server: ['contracts', 'formats', ...io, ...engines, 'stages'],
  cli: ['contracts', 'formats', ...io, ...engines, 'stages', 'server', 'demo'],
};
const rooms = Object.keys(mayImport);

interface Planted {
  path: string;
  content: string;
  /** The rule that must speak; null where the file is allowed as it is. */
  rule: string | null;
}

const imported = (path: string): string => `import { value } from '${path}';\nexport const own = value;\n`;
const directions: Planted[] = rooms.flatMap((from) =>
  rooms
    .filter((to) => to !== from)
    .map((to) => ({
      path: `src/${from}/imports-${to}.ts`,
      content: imported(`../${to}/value.ts`),
      rule: mayImport[from]!.includes(to) ? null : 'eslint(no-restricted-imports)',
    })),
);

const planted: Planted[] = [
  ...directions,
  { path: 'src/formats/deep/inside.ts', content: imported('../../db/value.ts'), rule: 'eslint(no-restricted-imports)' },
  {
    path: 'src/formats/type-only.ts',
    content: "import type { Value } from '../db/value.ts';\nexport type Own = Value;\n",
    rule: 'eslint(no-restricted-imports)',
  },
  {
    path: 'src/formats/lazy.ts',
    content: "export const own = async (): Promise<unknown> => import('../db/value.ts');\n",
    rule: 'eslint(no-restricted-imports)',
  },
  { path: 'src/formats/passed-on.ts', content: "export { value } from '../db/value.ts';\n", rule: 'eslint(no-restricted-imports)' },
  { path: 'src/runtime/pipeline.ts', content: imported('../pipeline.ts'), rule: 'eslint(no-restricted-imports)' },
  { path: 'src/runtime/test.ts', content: imported('../../test/value.ts'), rule: 'eslint(no-restricted-imports)' },
  { path: 'src/demo/pipeline.ts', content: imported('../pipeline.ts'), rule: 'eslint(no-restricted-imports)' },
  { path: 'src/pipeline.ts', content: "export { value as other } from './demo/value.ts';\nexport const value = 1;\n", rule: 'eslint(no-restricted-imports)' },
  { path: 'src/server/main.ts', content: "export const say = (): void => console.log('here');\n", rule: 'eslint(no-console)' },
  { path: 'src/cli/commands/list.ts', content: imported('../../pipeline.ts'), rule: null },
  { path: 'src/stages/first/second.ts', content: imported('../second/value.ts'), rule: 'eslint(no-restricted-imports)' },
  { path: 'src/stages/first/deep/second.ts', content: imported('../../second/value.ts'), rule: 'eslint(no-restricted-imports)' },
  { path: 'src/stages/alone.ts', content: imported('./second/value.ts'), rule: 'eslint(no-restricted-imports)' },
  { path: 'src/stages/second/own.ts', content: imported('./value.ts'), rule: null },
  { path: 'src/stages/second/deep/own.ts', content: imported('../value.ts'), rule: null },
  { path: 'src/stages/second/contracts.ts', content: imported('../../contracts/value.ts'), rule: null },
  { path: 'src/stages/second/cli.ts', content: imported('../../cli/value.ts'), rule: 'eslint(no-restricted-imports)' },
  { path: 'web/contracts.ts', content: imported('../src/contracts/value.ts'), rule: null },
  { path: 'web/formats.ts', content: imported('../src/formats/value.ts'), rule: 'eslint(no-restricted-imports)' },
  { path: 'web/deep/server.ts', content: imported('../../src/server/value.ts'), rule: 'eslint(no-restricted-imports)' },
  { path: 'src/db/one.ts', content: "import { two } from './two.ts';\nexport const one = (): number => two();\n", rule: 'import(no-cycle)' },
  { path: 'src/db/two.ts', content: "import { one } from './one.ts';\nexport const two = (): number => one();\n", rule: 'import(no-cycle)' },
  { path: 'src/net/environment.ts', content: "export const proxy = process.env['HTTP_PROXY'];\n", rule: 'eslint(no-restricted-properties)' },
  { path: 'src/net/taken-out.ts', content: 'export const { env } = process;\n', rule: 'eslint(no-restricted-properties)' },
  { path: 'src/net/imported-process.ts', content: "import { env } from 'node:process';\nexport const own = env;\n", rule: 'eslint(no-restricted-imports)' },
  { path: 'src/net/exits.ts', content: 'export const stop = (): never => process.exit(1);\n', rule: 'eslint(no-restricted-properties)' },
  { path: 'src/net/prints.ts', content: "export const say = (): void => console.log('here');\n", rule: 'eslint(no-console)' },
  { path: 'src/net/writes.ts', content: "export const say = (): boolean => process.stdout.write('here');\n", rule: 'eslint(no-restricted-properties)' },
  { path: 'src/cli/main.ts', content: "console.log(process.env['HOME'], process.argv);\nprocess.exit(0);\n", rule: null },
  { path: 'src/net/long.ts', content: 'export {};\n'.repeat(301), rule: 'eslint(max-lines)' },
  { path: 'src/net/long-enough.ts', content: `export const lines = [\n${'  1,\n'.repeat(298)}];\n`, rule: null },
  {
    path: 'src/net/floating.ts',
    content: 'export function start(work: () => Promise<void>): void {\n  work();\n}\n',
    rule: 'typescript(no-floating-promises)',
  },
  {
    path: 'src/net/misused.ts',
    content: 'export const each = (list: number[], work: (n: number) => Promise<void>): void => list.forEach(work);\n',
    rule: 'typescript(no-misused-promises)',
  },
  {
    path: 'src/net/exhaustive.ts',
    content: "export function name(set: 'en' | 'multi'): void {\n  switch (set) {\n    case 'en':\n      break;\n  }\n}\n",
    rule: 'typescript(switch-exhaustiveness-check)',
  },
  { path: 'src/net/any.ts', content: 'export const open = (value: any): unknown => value;\n', rule: 'typescript(no-explicit-any)' },
  { path: 'src/net/parsed.ts', content: "export const parsed = JSON.parse('1').value;\n", rule: 'typescript(no-unsafe-member-access)' },
  {
    path: 'test/focused.test.ts',
    content: "import { expect, it } from 'vitest';\n\nit.only('alone', () => {\n  expect(1).toBe(1);\n});\n",
    rule: 'vitest(no-focused-tests)',
  },
  {
    path: 'web/markup.tsx',
    content: 'export const Caption = ({ text }: { text: string }) => <p dangerouslySetInnerHTML={{ __html: text }} />;\n',
    rule: 'react(no-danger)',
  },
];

const valueFiles = [...rooms.map((room) => `src/${room}/value.ts`), 'src/stages/second/value.ts', 'test/value.ts'];

interface Diagnostic {
  code: string;
  filename: string;
}

describe('the linter', () => {
  let folder: string;
  let found: Map<string, string[]>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pairmill-lint-'));
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const file of ['oxlint.config.ts', 'tsconfig.json', 'package.json']) await copyFile(join(root, file), join(folder, file));
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions: { jsx: 'react-jsx' }, include: ['src', 'test', 'web'] }),
    );
    const values = valueFiles.map((path) => ({ path, content: 'export const value = 1;\nexport type Value = number;\n' }));
    for (const { path, content } of [...values, ...planted]) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
    const { diagnostics } = await lint(folder);
    found = new Map();
    for (const { filename, code } of diagnostics) found.set(filename, [...(found.get(filename) ?? []), code]);
  }, 60_000);

  afterAll(async () => rm(folder, { recursive: true, force: true }));

  it.each(planted.filter(({ rule }) => rule !== null))('catches $rule in $path', ({ path, rule }) => {
    expect(found.get(path) ?? []).toContain(rule);
  });

  it('lets pass what is allowed', () => {
    const allowed = [...valueFiles, ...planted.filter(({ rule }) => rule === null).map(({ path }) => path)];
    expect(allowed.filter((path) => found.has(path)).map((path) => [path, found.get(path)])).toEqual([]);
  });
});

/** oxlint exits with 1 where it found something; that is what is wanted here. */
async function lint(cwd: string): Promise<{ diagnostics: Diagnostic[] }> {
  const bin = join(root, 'node_modules/oxlint/bin/oxlint');
  const output = await promisify(execFile)(process.execPath, [bin, '--format', 'json'], { cwd, maxBuffer: 64 << 20 }).catch(
    (error: { stdout: string }) => error,
  );
  return JSON.parse(output.stdout) as { diagnostics: Diagnostic[] };
}
