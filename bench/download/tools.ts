import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeParquet } from '../../src/formats/parquet-writer.ts';
import { peers } from '../../test/local-paths.ts';
import { timedCommand } from '../rounds/timed-command.ts';

export const modes = ['keep_ratio', 'border', 'center_crop'] as const;
export type Mode = (typeof modes)[number];

/** What both tools are given; everything else is their default. */
export interface Task {
  /** A folder for what they write, which is removed. */
  folder: string;
  urls: readonly string[];
  mode: Mode;
  workers: number;
  shard: number;
  /** Origin that all requests go to, whatever their URL says: the hosts of the URLs need no resolver. */
  proxyPort?: number;
  /** URLs name addresses of 127.0.0.0/8 that listen; the file with their certificate, which is to be trusted. */
  certificate?: string;
}

export interface Run {
  seconds: number;
  cpuSeconds: number;
  packed: number;
  /** Peak of the process's resident memory. */
  peakBytes?: number;
  /** The longest that the event loop of a thread with requests was held up, and that of 99 of 100 moments, ms. */
  longestStallMs?: number;
  usualStallMs?: number;
}

export interface Tool {
  tool: string;
  run(task: Task): Promise<Run>;
}

export const peer = join(peers, 'image/bin/img2dataset');
/** Ours, and img2dataset where it is. */
export const tools: readonly Tool[] = [{ tool: 'pairmill', run: runOurs }, ...(existsSync(peer) ? [{ tool: 'img2dataset', run: runPeer }] : [])];

async function writeLinks({ folder, urls }: Task): Promise<string> {
  const path = join(folder, 'links.parquet');
  const rows = urls.map((url, i) => ({ url, text: `photograph ${i}` }));
  await writeParquet(path, z.object({ url: z.string(), text: z.string() }), rows, { codec: 'SNAPPY' });
  return path;
}

async function runOurs(task: Task): Promise<Run> {
  const output = join(task.folder, 'ours');
  const options = {
    numberSamplePerShard: task.shard,
    resizeMode: task.mode,
    ...(task.proxyPort !== undefined && { connectTo: [`::127.0.0.1:${task.proxyPort}`] }),
    ...(task.certificate !== undefined && { allowAddress: ['127.0.0.0/8'] }),
  };
  const settings = { input: await writeLinks(task), output, workers: task.workers, options: JSON.stringify(options) };
  const command = [
    process.execPath,
    join(import.meta.dirname, 'run-stage.ts'),
    ...Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]),
  ];
  const { out, ...times } = await timedCommand(command, task.certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: task.certificate });
  await rm(output, { recursive: true });
  return { ...times, ...(JSON.parse(out.trim().split('\n').at(-1)!) as Omit<Run, 'seconds' | 'cpuSeconds'>) };
}

async function runPeer(task: Task): Promise<Run> {
  const output = join(task.folder, 'theirs');
  const options = {
    url_list: await writeLinks(task),
    input_format: 'parquet',
    url_col: 'url',
    caption_col: 'text',
    output_format: 'webdataset',
    output_folder: output,
    processes_count: task.workers,
    thread_count: 64,
    image_size: 256,
    resize_mode: task.mode,
    number_sample_per_shard: task.shard,
  };
  // urllib sends absolute URLs to a proxy, which the origin understands.
  const environment = {
    ...(task.certificate !== undefined && { SSL_CERT_FILE: task.certificate }),
    ...(task.proxyPort !== undefined && { http_proxy: `http://127.0.0.1:${task.proxyPort}` }),
    NO_ALBUMENTATIONS_UPDATE: '1',
  };
  const { out: _out, ...times } = await timedCommand([peer, ...Object.entries(options).map(([key, value]) => `--${key}=${value}`)], environment);
  let packed = 0;
  const stats = (shard: number): string => join(output, `${String(shard).padStart(5, '0')}_stats.json`);
  for (let shard = 0; existsSync(stats(shard)); shard++) packed += (JSON.parse(await readFile(stats(shard), 'utf8')) as { successes: number }).successes;
  await rm(output, { recursive: true });
  return { ...times, packed };
}
