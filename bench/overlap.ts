import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { generateEmojiWeb } from '../src/demo/generate.ts';
import { startOriginThread } from '../src/demo/origin.ts';
import type { BenchResult } from './main.ts';
import { median } from './rounds/median.ts';

const root = join(import.meta.dirname, '..');
const TICKS_A_SECOND = 100;
const SAMPLE_MS = 200;

type Table = BenchResult['rows'];

/**
 * Whether the stages of a run overlap. First whole example runs, in turn with those of another checkout: wall time, processor time,
 * and the share of all cores that is busy between the first links and the release. Then a crawl behind an origin that answers each
 * request late: the whole run beside its longest stage, download, alone. Processor time is that of the machine (/proc/stat), so
 * nothing else may run on it.
 * Usage: npm run bench -- overlap [--other CHECKOUT] [--rounds N] [--late MS] [--candidates N] [--only demo|late]
 */
export async function run(args: string[]): Promise<BenchResult> {
  const { values } = parseArgs({
    args,
    options: {
      other: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      late: { type: 'string', default: '500' },
      candidates: { type: 'string', default: '20000' },
      only: { type: 'string' },
    },
  });
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-bench-'));
  try {
    const checkouts = [root, ...(values.other === undefined ? [] : [resolve(values.other)])];
    const demo = values.only === 'late' ? undefined : await demoRounds(folder, checkouts, Number(values.rounds));
    const late = values.only === 'demo' ? undefined : await lateRun(folder, Number(values.late), Number(values.candidates));
    const tables = [
      ...(demo ? [{ title: `overlap: whole example runs${values.other === undefined ? '' : ', in turn with another checkout'}`, rows: demo.rows }] : []),
      ...(late ? [{ title: `overlap: ${values.candidates} pictures behind an origin that answers ${values.late} ms late`, rows: late.rows }] : []),
    ];
    return { ...tables[0]!, more: tables.slice(1), ratios: { ...demo?.ratios, ...late?.ratios } };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function demoRounds(folder: string, checkouts: readonly string[], rounds: number): Promise<{ rows: Table; ratios: Record<string, number> }> {
  const rows: Table = [];
  const cpu = checkouts.map((): number[] => []);
  const wall = checkouts.map((): number[] => []);
  const busy: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [i, checkout] of checkouts.entries()) {
      const runDir = join(folder, 'demo');
      const measured = await measure([join(checkout, 'bin/pairmill.js'), 'demo', '--no-serve', '--run-dir', runDir]);
      const share = measured.busyShare(await firstMarker(join(runDir, 'links')), await lastMarker(join(runDir, 'release')));
      await rm(runDir, { recursive: true });
      cpu[i]!.push(measured.cpuSeconds);
      wall[i]!.push(measured.seconds);
      if (i === 0) busy.push(share);
      rows.push({ checkout: i === 0 ? 'this' : 'other', seconds: measured.seconds, 'CPU seconds': measured.cpuSeconds, 'busy, links to release': share });
    }
  }
  const other = checkouts.length > 1 && { cpu_other: median(cpu[0]!) / median(cpu[1]!), wall_other: median(wall[0]!) / median(wall[1]!) };
  return { rows, ratios: { busy: median(busy), ...other } };
}

async function lateRun(folder: string, lateMs: number, candidates: number): Promise<{ rows: Table; ratios: Record<string, number> }> {
  const crawl = join(folder, 'crawl');
  await generateEmojiWeb({ folder: crawl, candidates });
  const origin = await startOriginThread({ folder: crawl, lateMs });
  try {
    const anyHost = `::127.0.0.1:${origin.port}`;
    const config = {
      input: join(crawl, 'wat', '*.warc.wat.gz'),
      draw: { 'number-sample-per-shard': Math.max(100, Math.ceil(candidates / 8)) },
      download: { 'connect-to': [anyHost], timeout: 3, 'resize-mode': 'keep_ratio', 'max-bytes': 20_000_000 },
      filter: { model: 'mini', 'multilingual-model': 'mini' },
      embed: { model: 'mini', 'shards-per-part': 2 },
      tag: { model: 'mini' },
    };
    const file = join(folder, 'late.yaml');
    // JSON is YAML.
    await writeFile(file, JSON.stringify(config));
    const command = [join(root, 'bin/pairmill.js'), 'run', file, '--no-serve', '--run-dir', join(folder, 'late')];
    const whole = await measure(command);
    const options = ['--connect-to', anyHost, '--timeout', '3', '--resize-mode', 'keep_ratio', '--max-bytes', '20000000'];
    const alone = await measure([command[0]!, 'download', '--input', join(folder, 'late/batches'), '--output', join(folder, 'alone'), ...options]);
    const rows = [
      { what: 'the whole run', seconds: whole.seconds, 'CPU seconds': whole.cpuSeconds },
      { what: 'download alone', seconds: alone.seconds, 'CPU seconds': alone.cpuSeconds },
    ];
    return { rows, ratios: { late_whole: whole.seconds / alone.seconds } };
  } finally {
    await origin.close();
  }
}

interface Measured {
  seconds: number;
  cpuSeconds: number;
  /** Of all cores, between two moments (ms since 1970). */
  busyShare(from: number, to: number): number;
}

async function measure(command: readonly string[]): Promise<Measured> {
  const samples = [{ at: Date.now(), busy: busySeconds() }];
  const timer = setInterval(() => samples.push({ at: Date.now(), busy: busySeconds() }), SAMPLE_MS);
  try {
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-2000)));
    const code = await new Promise<number | null>((done) => child.on('close', done));
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${said}`);
  } finally {
    clearInterval(timer);
  }
  samples.push({ at: Date.now(), busy: busySeconds() });
  const [first, last] = [samples[0]!, samples.at(-1)!];
  return {
    seconds: (last.at - first.at) / 1000,
    cpuSeconds: last.busy - first.busy,
    busyShare(from, to) {
      const within = samples.filter(({ at }) => at >= from && at <= to);
      const [start, end] = [within[0]!, within.at(-1)!];
      return (end.busy - start.busy) / (((end.at - start.at) / 1000) * availableParallelism());
    },
  };
}

/** Seconds in which the machine's cores did something, since it started. */
function busySeconds(): number {
  const [, user, nice, system, , , irq, softIrq] = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.split(/\s+/).map(Number);
  return (user! + nice! + system! + irq! + softIrq!) / TICKS_A_SECOND;
}

async function markerTimes(folder: string): Promise<number[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('_stats.json'));
  return Promise.all(names.map(async (name) => (await stat(join(folder, name))).mtimeMs));
}

const firstMarker = async (folder: string): Promise<number> => Math.min(...(await markerTimes(folder)));
const lastMarker = async (folder: string): Promise<number> => Math.max(...(await markerTimes(folder)));
