import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateEmojiWeb } from '../src/demo/generate.ts';
import { readManifestLinks } from '../src/demo/manifest.ts';
import { startOriginThread } from '../src/demo/origin.ts';
import { z } from 'zod';
import { writeParquet } from '../src/formats/parquet.ts';
import { peers } from '../test/local-paths.ts';
import type { BenchResult } from './main.ts';

const peer = join(peers, 'image/bin/img2dataset');
const WORKERS = 2;
const SHARD = 1000;

interface Run {
  seconds: number;
  cpuSeconds: number;
  packed: number;
}

/**
 * Downloads pictures of the example crawl from a loopback origin, resizes and packs them: this stage, and img2dataset
 * with the same resize mode, quality and number of processes. Usage: npm run bench -- download [PICTURES, default 3000].
 */
export async function run([count = '3000']: string[]): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-bench-'));
  try {
    const web = join(folder, 'web');
    await generateEmojiWeb({ folder: web, candidates: Number(count), crawlFiles: 1 });
    const links = [];
    for await (const { kind, url, text } of readManifestLinks(web)) if (kind === 'right') links.push({ url, text });
    const input = join(folder, 'links.parquet');
    await writeParquet(input, z.object({ url: z.string(), text: z.string() }), links, { codec: 'SNAPPY' });
    const origin = await startOriginThread({ folder: web });
    try {
      const ours = await runOurs(folder, input, origin.port);
      const theirs = existsSync(peer) ? await runPeer(folder, input, origin.port) : undefined;
      const row = (name: string, { seconds, cpuSeconds, packed }: Run): Record<string, string | number> => ({
        tool: name,
        packed,
        seconds,
        'CPU seconds': cpuSeconds,
        'pictures/s': packed / seconds,
        'pictures per CPU-second': packed / cpuSeconds,
      });
      return {
        title: `download: ${links.length} pictures from loopback, border 256, JPEG 95, ${WORKERS} workers`,
        rows: [row('pairmill', ours), ...(theirs ? [row('img2dataset', theirs)] : [])],
        ratios: theirs
          ? {
              'pictures/s': ours.packed / ours.seconds / (theirs.packed / theirs.seconds),
              'pictures per CPU-second': ours.packed / ours.cpuSeconds / (theirs.packed / theirs.cpuSeconds),
            }
          : {},
      };
    } finally {
      await origin.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runOurs(folder: string, input: string, port: number): Promise<Run> {
  const script = join(import.meta.dirname, 'download/run-stage.ts');
  const output = join(folder, 'ours');
  const { out, ...times } = await timed([
    process.execPath,
    script,
    '--input',
    input,
    '--output',
    output,
    '--port',
    String(port),
    '--workers',
    String(WORKERS),
    '--shard',
    String(SHARD),
  ]);
  return { ...times, packed: (JSON.parse(out.trim().split('\n').at(-1)!) as { out: number }).out };
}

async function runPeer(folder: string, input: string, port: number): Promise<Run> {
  const output = join(folder, 'theirs');
  const options = {
    url_list: input,
    input_format: 'parquet',
    url_col: 'url',
    caption_col: 'text',
    output_format: 'webdataset',
    output_folder: output,
    processes_count: WORKERS,
    thread_count: 64,
    image_size: 256,
    number_sample_per_shard: SHARD,
  };
  // urllib sends absolute URLs to a proxy, which the origin understands: so its host names need no resolver.
  const environment = { http_proxy: `http://127.0.0.1:${port}`, NO_ALBUMENTATIONS_UPDATE: '1' };
  const { out: _out, ...times } = await timed([peer, ...Object.entries(options).map(([key, value]) => `--${key}=${value}`)], environment);
  let packed = 0;
  for (let shard = 0; existsSync(join(output, `${String(shard).padStart(5, '0')}_stats.json`)); shard++) {
    packed += (JSON.parse(await readFile(join(output, `${String(shard).padStart(5, '0')}_stats.json`), 'utf8')) as { successes: number }).successes;
  }
  return { ...times, packed };
}

/** Runs a command and tells its wall clock and processor time, children included. */
function timed(command: string[], environment: Record<string, string> = {}): Promise<{ seconds: number; cpuSeconds: number; out: string }> {
  const child = spawn('bash', ['-c', 'TIMEFORMAT="%R %U %S"; time "$@" 2>/dev/null', 'bash', ...command], { env: { ...process.env, ...environment } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const [seconds, user, system] = err.trim().split('\n').at(-1)!.split(' ').map(Number) as [number, number, number];
      if (code === 0) resolve({ seconds, cpuSeconds: user + system, out });
      else reject(new Error(`${command.join(' ')} ended with ${code}: ${out}`));
    });
  });
}
