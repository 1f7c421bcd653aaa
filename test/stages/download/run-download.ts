import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import { Candidate, type Reject, type Sample } from '../../../src/contracts/records.ts';
import type { StageFolders } from '../../../src/contracts/stage.ts';
import { readParquet, writeParquet } from '../../../src/formats/parquet.ts';
import { sampleHash } from '../../../src/formats/sample-hash.ts';
import { readSamples } from '../../../src/formats/webdataset.ts';
import { InlineExecutor } from '../../../src/runtime/inline-executor.ts';
import { runStage, type StageOutcome, type StageRunOptions } from '../../../src/runtime/run-stage.ts';
import { download } from '../../../src/stages/download/download.ts';
import type { downloadOptions } from '../../../src/stages/download/options.ts';
import { recordingEvents } from '../../runtime/toy-stage.ts';

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-download-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface DownloadRun extends StageOutcome {
  output: string;
  made: string[];
  kept: string[];
  rejects: Reject[];
}

/** Runs the stage on a file or folder of links as `pairmill download --input … --rejects all` would. */
export async function runDownload(
  input: string,
  options: z.input<typeof downloadOptions>,
  more: Partial<StageRunOptions> & { output?: string; database?: string } = {},
): Promise<DownloadRun> {
  const { output = join(await temporaryFolder(), 'samples'), database, ...settings } = more;
  const folders: StageFolders = { input, output, rejects: join(output, '..', 'rejects'), stages: {}, database };
  const executor = new InlineExecutor([download], 2);
  const events = recordingEvents();
  const outcome = await runStage(
    download,
    { options: download.options.parse(options), folders },
    executor,
    { redo: false, acceptChanged: false, rejects: 'all', ...settings },
    events,
  );
  await executor.close();
  const rejects: Reject[] = [];
  for (const shard of [...events.made, ...events.kept].sort()) {
    const path = join(folders.rejects, 'download', `${shard}.parquet`);
    if (
      await readFile(path).then(
        () => true,
        () => false,
      )
    )
      rejects.push(...(await rowsOf<Reject>(path)));
  }
  return { ...outcome, output, made: events.made, kept: events.kept, rejects };
}

export async function rowsOf<Row = Sample>(path: string): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of readParquet<Row>(path)) rows.push(row);
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
