import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandLine } from './command-line.ts';

let base: string;
beforeAll(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-doctor-'))));
afterAll(() => rm(base, { recursive: true }));

interface Report {
  ready: boolean;
  checks: { name: string; verdict: string; what: string }[];
}

async function doctor(...more: string[]): Promise<Report & { code: number; of: (name: string) => { verdict: string; what: string } }> {
  // A name that never resolves, so that no test depends on a network.
  const { code, out } = await commandLine(['doctor', '--json', '--hub-url', 'https://hub.invalid', ...more]);
  const report = JSON.parse(out) as Report;
  return { ...report, code, of: (name) => report.checks.find((check) => check.name === name)! };
}

test('says what this machine has, and makes nothing', async () => {
  const models = join(base, 'models');
  await mkdir(join(models, 'clip-vit-b-32'), { recursive: true });
  const { checks, of } = await doctor('--run-dir', join(base, 'run'), '--model-cache', models);
  expect(checks.map(({ name }) => name)).toEqual(['Node.js', 'cores', 'memory', 'disk', 'GPU', 'PostgreSQL', 'models', 'network']);
  expect(of('Node.js').what).toContain(process.version);
  expect(of('disk').what).toContain(`are free for ${join(base, 'run')}`);
  expect(of('models').what).toBe(`${models} has clip-vit-b-32.`);
  expect(await readdir(base)).toEqual(['models']);
});

test('a machine without a network can run what it has', async () => {
  const { of, ready } = await doctor('--run-dir', join(base, 'run'));
  expect(of('network')).toMatchObject({ verdict: 'note', what: expect.stringContaining("The name hub.invalid can't be resolved") as string });
  expect(ready).toBe(true);
});

test('a folder on a disk without room stops a run, and ends with 1', async () => {
  const { code, ready, of } = await doctor('--run-dir', '/proc/run');
  expect([code, ready, of('disk').verdict]).toEqual([1, false, 'stops']);
  expect((await commandLine(['doctor', '--hub-url', 'https://hub.invalid', '--run-dir', '/proc/run'])).out).toContain('1 finding would stop a run: disk.');
});
