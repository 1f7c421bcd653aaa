import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import { Candidate, type Reject, type Sample } from '../../../src/contracts/records.ts';
import { readParquet } from '../../../src/formats/parquet.ts';
import { writeParquet } from '../../../src/formats/parquet-writer.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { readSamples } from '../../../src/formats/webdataset.ts';
import { download } from '../../../src/stages/download/download.ts';
import type { downloadOptions } from '../../../src/stages/download/options.ts';
import { list } from '../../../src/stages/list/list.ts';
import type { listOptions } from '../../../src/stages/list/options.ts';
import { rejectsOf, runOneStage, type StageRun, type StageRunSettings } from '../run-one-stage.ts';

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-download-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface DownloadRun extends StageRun {
  output: string;
  rejects: Reject[];
}

/** Runs the stage on a file or folder of links as `pairmill download --input … --output … --rejects all` would. */
export async function runDownload(
  input: string,
  {
    urlCol,
    captionCol,
    trustHash,
    saveAdditionalColumns,
    ...options
  }: z.input<typeof downloadOptions> & Pick<z.input<typeof listOptions>, 'urlCol' | 'captionCol' | 'trustHash' | 'saveAdditionalColumns'>,
  more: StageRunSettings & { output?: string } = {},
): Promise<DownloadRun> {
  const { output = join(await temporaryFolder(), 'samples'), ...settings } = more;
  const lists = `${output}-lists`;
  const listed = Object.fromEntries(Object.entries({ urlCol, captionCol, trustHash, saveAdditionalColumns }).filter(([, value]) => value !== undefined));
  await runOneStage(list, lists, { ...listed, language: 'en' }, { input, output: lists });
  const run = await runOneStage(download, output, options, { output, locations: { lists }, workers: 2, mayFail: true, ...settings });
  return { ...run, output, rejects: await rejectsOf(output, 'download') };
}

export async function rowsOf<Row = Sample>(path: string, settings?: { bytes: boolean }): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of readParquet<Row>(path, undefined, settings)) rows.push(row);
  return rows;
}

export async function samplesOf(path: string): Promise<Map<string, Map<string, Uint8Array>>> {
  const samples = new Map<string, Map<string, Uint8Array>>();
  for await (const { key, members } of readSamples(path)) samples.set(key, members);
  return samples;
}

/** A file of links as dedup writes them. */
export async function writeLinks(path: string, links: readonly { url: string; text: string; language?: string | null }[]): Promise<string> {
  await writeParquet(
    path,
    Candidate,
    links.map(({ url, text, language }, index) => ({
      url,
      text,
      language: language ?? 'en',
      language_confidence: 1,
      licence: null,
      hash: sampleHash(url, text),
      uid: `uid-${index}`,
      page_url: 'http://page.test/',
      crawl_file: '00000.warc.wat.gz',
      record_offset: BigInt(index),
      words: 1,
      characters: text.length,
      alphanumeric_share: 1,
      special_share: 0,
      repetition_share: 0,
    })),
  );
  return path;
}
