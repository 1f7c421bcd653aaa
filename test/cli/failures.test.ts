import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateEmojiWeb } from '../../src/demo/generate.ts';
import { type Finished, pairmill, root } from '../pipeline/pairmill.ts';

/** What goes wrong in expected ways: a clear message, the right exit code, never a stack trace. */
let base: string;
let crawl: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-failures-'));
  crawl = join(base, 'crawl');
  await generateEmojiWeb({ folder: crawl, candidates: 100, pictures: 60, crawlFiles: 2 });
}, 60_000);
afterAll(() => rm(base, { recursive: true, force: true }));

function expectFailure({ code, err, out }: Finished, exitCode: number, ...texts: string[]): void {
  for (const text of texts) expect(err).toContain(text);
  expect(code, err).toBe(exitCode);
  expect(err + out).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
}

test.each([
  [['extrct'], 'unknown command "extrct". Did you mean extract?'],
  [['extract', '--min-text-lenght', '3'], 'unknown option --min-text-lenght. Did you mean --min-text-length?'],
  [['extract', '--min-text-length', 'three'], '--min-text-length: expected a number (given: "three")'],
  [['run'], 'nothing is given to start from'],
  [['run', '/nowhere/run.yaml'], "The configuration can't be read. /nowhere/run.yaml: there is no such file or folder"],
  [['demo', '--port', '-1'], '--port'],
])('wrong usage: %j', async (args, message) => {
  expectFailure(await pairmill(args), 2, message);
});

test('an unknown key in a configuration', async () => {
  const path = join(base, 'run.yaml');
  await writeFile(path, 'input: x\nfilter:\n  modl: mini\n');
  expectFailure(await pairmill(['run', path]), 2, 'run.yaml: filter: unknown key modl (did you mean model?)');
});

test('a missing input', async () => {
  expectFailure(await pairmill(['extract', '--input', join(base, 'nothing/*.wat.gz'), '--output', join(base, 'missing')]), 2, 'nothing/*.wat.gz');
  expectFailure(await pairmill(['filter', '--run-dir', join(base, 'empty')]), 2, 'samples', 'holds no finished shard', '--input');
});

test('a port in use, before any work is done', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  try {
    expectFailure(await pairmill(['demo', '--port', String(port), '--run-dir', join(base, 'port')]), 2, String(port), 'in use', '--port');
  } finally {
    server.close();
  }
});

test('a WAT cut in the middle costs its last record, and is said', async () => {
  const wat = join(base, 'cut.warc.wat.gz');
  await cp(join(crawl, 'wat', '00000.warc.wat.gz'), wat);
  await truncate(wat, Math.floor((await readFile(wat)).length / 2));
  const { code, err } = await pairmill(['extract', '--input', wat, '--output', join(base, 'cut')]);
  expect(code, err).toBe(0);
  expect(err).toMatch(/warning: extract 00000: .*damaged/);
  expect(JSON.parse(await readFile(join(base, 'cut', '00000_stats.json'), 'utf8'))).toMatchObject({ out: expect.any(Number) as number });
});

test('a corrupted model file', async () => {
  const model = join(base, 'mini');
  await cp(join(root, 'models', 'mini'), model, { recursive: true });
  const file = join(model, 'vision_model.onnx');
  const bytes = await readFile(file);
  bytes.fill(0, 1000, 2000);
  await writeFile(file, bytes);
  await mkdir(join(base, 'model-run', 'samples'), { recursive: true });
  await writeFile(join(base, 'model-run', 'samples', '00000.tar'), new Uint8Array(1024));
  expectFailure(
    await pairmill(['filter', '--run-dir', join(base, 'model-run'), '--model', model, '--multilingual-model', model]),
    1,
    'vision_model.onnx is damaged',
  );
});

test('a full disk', async (context) => {
  const mount = join(base, 'small');
  await mkdir(mount);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'none', mount], { stdio: 'ignore' });
  } catch {
    context.skip('mounting a small tmpfs needs root');
  }
  try {
    const { err, code, out } = await pairmill(['extract', '--input', join(crawl, 'wat', '*.gz'), '--output', mount, '--run-dir', join(base, 'full')]);
    expectFailure({ err, code, out, signal: null }, 1, `the disk of ${mount} is full`, 'start the same command again');
  } finally {
    execFileSync('umount', [mount]);
  }
});
