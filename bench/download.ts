import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { writeParquet } from '../src/formats/parquet.ts';
import { peers, photographs } from '../test/local-paths.ts';
import type { BenchResult } from './main.ts';

const peer = join(peers, 'image/bin/img2dataset');
const WORKERS = 2;
const SHARD = 1000;
const HOSTS = 100;
const modes = ['keep_ratio', 'border', 'center_crop'] as const;
type Mode = (typeof modes)[number];
type Size = 'web' | 'large';

interface Run {
  seconds: number;
  cpuSeconds: number;
  packed: number;
  peakBytes?: number;
}

/**
 * Photographs (recipes/photographs), in rounds that take turns: decode, resize and encode alone beside OpenCV, and the whole stage on
 * a loopback origin with keep-alive beside img2dataset, with the same mode, size, quality and number of processes.
 * Usage: npm run bench -- download [--web LINKS] [--large LINKS] [--rounds N]
 */
export async function run(args: string[]): Promise<BenchResult> {
  const { values } = parseArgs({
    args,
    options: { web: { type: 'string', default: '4000' }, large: { type: 'string', default: '1500' }, rounds: { type: 'string', default: '3' } },
  });
  if (!existsSync(join(photographs, 'web'))) throw new Error(`${photographs} has no photographs. Run recipes/photographs/get.sh first.`);
  const rounds = Array.from({ length: Number(values.rounds) }, (_, i) => modes[i % modes.length]!);
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-bench-'));
  try {
    const resizing: Table = [];
    const whole: Table = [];
    const ratios: Record<string, number> = {};
    let peak = 0;
    for (const [size, name] of [
      ['web', 'small'],
      ['large', 'large'],
    ] as const) {
      const alone = resizeRounds(size, rounds);
      resizing.push(...alone.rows);
      if (alone.ratio !== undefined) ratios[`resize_${name}`] = alone.ratio;
      const stage = await stageRounds(folder, size, Number(values[size]), rounds);
      whole.push(...stage.rows);
      if (stage.ratio !== undefined) ratios[`peer_${name}`] = stage.ratio;
      peak = Math.max(peak, stage.peakBytes);
    }
    ratios['peak_mb'] = peak / 1e6;
    return {
      title: `download: photographs (web: ${await described('web')}; large: ${await described('large')}) to 256, JPEG 95, ${WORKERS} workers; start-up subtracted`,
      rows: whole,
      more: [{ title: 'decode, resize and encode alone, one thread', rows: resizing }],
      ratios,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Table = BenchResult['rows'];

async function described(size: Size): Promise<string> {
  const names = (await readdir(join(photographs, size))).filter((name) => name.endsWith('.jpg'));
  let bytes = 0;
  for (const name of names) bytes += (await stat(join(photographs, size, name))).size;
  return `${names.length} of ${size === 'web' ? '640 x 480' : '1632 x 1224'}, ${Math.round(bytes / names.length / 1000)} KB each`;
}

const scripts = join(import.meta.dirname, 'download');
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function resizeRounds(size: Size, rounds: readonly Mode[]): { rows: Table; ratio?: number } {
  const times: { ours: number; theirs?: number }[] = [];
  const rows: Table = [];
  for (const mode of rounds) {
    const measure = (command: string, script: string): number =>
      Number(execFileSync(command, [join(scripts, script), join(photographs, size), mode], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    const ours = measure(process.execPath, 'resize-photographs.ts');
    const python = join(peers, 'image/bin/python');
    const theirs = existsSync(python) ? measure(python, 'resize_photographs.py') : undefined;
    times.push({ ours, ...(theirs !== undefined && { theirs }) });
    rows.push({ size, mode, 'pairmill, CPU ms': ours, ...(theirs !== undefined && { 'OpenCV, CPU ms': theirs, times: theirs / ours }) });
  }
  if (times.some(({ theirs }) => theirs === undefined)) return { rows };
  return { rows, ratio: mean(times.map(({ theirs }) => theirs!)) / mean(times.map(({ ours }) => ours)) };
}

async function stageRounds(folder: string, size: Size, count: number, rounds: readonly Mode[]): Promise<{ rows: Table; ratio?: number; peakBytes: number }> {
  const origin = spawn(process.execPath, [join(scripts, 'origin.ts'), join(photographs, size)], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const port = await new Promise<number>((resolve) => origin.stdout.once('data', (line: Buffer) => resolve(Number(line.toString()))));
    const links = (length: number): { url: string; text: string }[] =>
      Array.from({ length }, (_, i) => ({ url: `http://host-${i % HOSTS}.example/${i}.jpg`, text: `photograph ${i}` }));
    const input = { start: join(folder, 'start.parquet'), all: join(folder, 'all.parquet') };
    const row = z.object({ url: z.string(), text: z.string() });
    await writeParquet(input.start, row, links(20), { codec: 'SNAPPY' });
    await writeParquet(input.all, row, links(count), { codec: 'SNAPPY' });
    const tools = [{ tool: 'pairmill', run: runOurs }, ...(existsSync(peer) ? [{ tool: 'img2dataset', run: runPeer }] : [])];
    const rows: Table = [];
    const rates = new Map<string, number[]>();
    let peakBytes = 0;
    for (const mode of rounds) {
      for (const { tool, run: runTool } of tools) {
        const start = await runTool(folder, input.start, port, mode);
        const { seconds, cpuSeconds, packed, peakBytes: peak = 0 } = await runTool(folder, input.all, port, mode);
        if (packed !== count) throw new Error(`${tool} packed ${packed} of ${count}`);
        const rate = (packed - start.packed) / (cpuSeconds - start.cpuSeconds);
        rates.set(tool, [...(rates.get(tool) ?? []), rate]);
        peakBytes = Math.max(peakBytes, peak);
        rows.push({
          tool,
          size,
          mode,
          packed,
          seconds,
          'CPU seconds': cpuSeconds,
          'of which start-up': start.cpuSeconds,
          'pictures/s': packed / seconds,
          'pictures per CPU-second': rate,
          ...(peak > 0 && { 'peak MB': peak / 1e6 }),
        });
      }
    }
    const [ours, theirs] = tools.map(({ tool }) => mean(rates.get(tool)!));
    return { rows, peakBytes, ...(theirs !== undefined && { ratio: ours! / theirs }) };
  } finally {
    origin.kill();
  }
}

async function runOurs(folder: string, input: string, port: number, mode: Mode): Promise<Run> {
  const output = join(folder, 'ours');
  const settings = { input, output, port, workers: WORKERS, shard: SHARD, mode };
  const { out, ...times } = await timed([
    process.execPath,
    join(scripts, 'run-stage.ts'),
    ...Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]),
  ]);
  const { out: packed, peakBytes } = JSON.parse(out.trim().split('\n').at(-1)!) as { out: number; peakBytes: number };
  await rm(output, { recursive: true });
  return { ...times, packed, peakBytes };
}

async function runPeer(folder: string, input: string, port: number, mode: Mode): Promise<Run> {
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
    resize_mode: mode,
    number_sample_per_shard: SHARD,
  };
  // urllib sends absolute URLs to a proxy, which the origin understands: so its host names need no resolver.
  const environment = { http_proxy: `http://127.0.0.1:${port}`, NO_ALBUMENTATIONS_UPDATE: '1' };
  const { out: _out, ...times } = await timed([peer, ...Object.entries(options).map(([key, value]) => `--${key}=${value}`)], environment);
  let packed = 0;
  for (let shard = 0; existsSync(join(output, `${String(shard).padStart(5, '0')}_stats.json`)); shard++) {
    packed += (JSON.parse(await readFile(join(output, `${String(shard).padStart(5, '0')}_stats.json`), 'utf8')) as { successes: number }).successes;
  }
  await rm(output, { recursive: true });
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
