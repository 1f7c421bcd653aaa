import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { calibrated, choose, untried } from '../../src/models/sessions/calibration.ts';

const measured = { byThreads: { 1: 10, 2: 19.8, 4: 36 }, byRows: { 1: 8, 2: 9.7, 4: 10, 8: 10.1 } };

test('the fewest sessions, and the smallest batch, that cost next to nothing', () => {
  // Two sessions of two threads make 39.6 rows a second, four of one 40, one of four 36.
  expect(choose(measured, 4, 100)).toEqual({ sessions: 2, threads: 2, rows: 4 });
  expect(choose({ ...measured, byThreads: { 1: 10, 2: 19.8, 4: 39 } }, 4, 100)).toEqual({ sessions: 1, threads: 4, rows: 4 });
});

test('no more sessions than fit into memory, and what the user says', () => {
  expect(choose(measured, 4, 1)).toEqual({ sessions: 1, threads: 4, rows: 4 });
  expect(choose(measured, 4, 100, { threads: 1 })).toEqual({ sessions: 4, threads: 1, rows: 4 });
  expect(choose(measured, 4, 100, { sessions: 1 })).toEqual({ sessions: 1, threads: 4, rows: 4 });
  expect(choose(measured, 4, 100, { sessions: 3, threads: 3 })).toEqual({ sessions: 3, threads: 3, rows: 4 });
});

test('without a trial: a session a core, and threads for those that memory has no room for', () => {
  expect(choose(untried(4, 4), 4, 100)).toEqual({ sessions: 4, threads: 1, rows: 4 });
  expect(choose(untried(4, 4), 4, 1)).toEqual({ sessions: 1, threads: 4, rows: 4 });
  expect(choose(untried(1, 1), 1, 100)).toEqual({ sessions: 1, threads: 1, rows: 1 });
});

test('a model that is quick needs no trial, and nothing is kept of it', async () => {
  const cacheFolder = await mkdtemp(join(tmpdir(), 'calibration-'));
  const path = new URL('fixtures/free-image.onnx', import.meta.url).pathname;
  expect(await calibrated(path, 'cpu', { cacheFolder, sides: [3, 8, 8] }, {}, 0)).toMatchObject({ threads: 1, rows: 16 });
  expect(await calibrated(path, 'cpu', { cacheFolder, sides: [3, 8, 8], fixedRows: 1 }, { threads: 2, sessions: 1 }, 0)).toEqual({
    sessions: 1,
    threads: 2,
    rows: 1,
  });
  expect(await readdir(cacheFolder)).toEqual([]);
  await rm(cacheFolder, { recursive: true });
});

test('where others use the cores, nothing is tried and nothing kept', async () => {
  const path = new URL('fixtures/free-image.onnx', import.meta.url).pathname;
  const settings = { cacheFolder: '/nowhere', sides: [3, 8, 8] };
  expect(await calibrated(path, 'cpu', settings, { sessions: 1, threads: 2 }, 1000)).toEqual({ sessions: 1, threads: 2, rows: 4 });
  expect(await calibrated(path, 'cpu', { ...settings, fixedRows: 1 }, {}, 1000)).toMatchObject({ threads: 1, rows: 1 });
});
