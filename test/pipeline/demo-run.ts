import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reject, Release } from '../../src/contracts/records.ts';
import { readParquet } from '../../src/formats/parquet.ts';
import { pairmill } from './pairmill.ts';

/** A finished demo run: that of the environment (CI's whole one), or a small one made for the test. */
export async function demoRun(candidates = 600): Promise<string> {
  const given = process.env['PAIRMILL_DEMO_RUN'];
  if (given) return given;
  const runDir = await mkdtemp(join(tmpdir(), 'pairmill-demo-'));
  const { code, err } = await pairmill(['demo', '--no-serve', '--run-dir', runDir, '--candidates', String(candidates)]);
  if (code !== 0) throw new Error(`the demo ended with ${code}:\n${err}`);
  return runDir;
}

/** All rows of the Parquet files below a folder, in the order of their names. */
export async function* rowsBelow<Row>(folder: string, columns?: (keyof Row & string)[]): AsyncGenerator<Row> {
  const names = await readdir(folder, { recursive: true });
  for (const name of names.filter((each) => each.endsWith('.parquet')).sort()) yield* readParquet<Row>(join(folder, name), columns);
}

export async function collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

export const releaseRows = (runDir: string): Promise<Release[]> => collect(rowsBelow<Release>(join(runDir, 'release')));
export const rejectRows = (runDir: string, stage: string): Promise<Reject[]> =>
  readdir(join(runDir, 'rejects', stage)).then(
    () => collect(rowsBelow<Reject>(join(runDir, 'rejects', stage))),
    () => [],
  );

export async function readJson<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T;
}
