import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeWat } from './extract/wat-corpus.ts';
import type { BenchResult } from './main.ts';

/**
 * Extraction on one core, against cc2dataset's own function and against `libdeflate-gunzip` alone (the limit: nobody
 * reads a WAT faster than it inflates), interleaved, CPU seconds, median of the rounds. Options: MEGABYTES (1000),
 * ROUNDS (5). The peer is measured where PAIRMILL_CC2DATASET names a Python that has cc2dataset.
 */
export async function run([megabytes = '1000', rounds = '5']: string[]): Promise<BenchResult> {
  const folder = join(tmpdir(), 'pairmill-bench');
  mkdirSync(folder, { recursive: true });
  const wat = join(folder, `${megabytes}.warc.wat.gz`);
  await writeWat(wat, Number(megabytes));
  const peer = process.env['PAIRMILL_CC2DATASET'] ?? '/tmp/pairmill-peers/crawl/bin/python';
  const here = import.meta.dirname;
  const ours = (mode: string) => async () => json(await output(process.execPath, [join(here, 'extract/ours.ts'), wat, mode]));
  const ways: Record<string, () => Promise<Measured>> = {
    'limit: libdeflate-gunzip': () => cpuOf(`libdeflate-gunzip -c -k ${wat} > /dev/null`),
    'pairmill, gzip and records': ours('inflate'),
    'pairmill, links of pages': ours('parse'),
    'pairmill, all rules': ours('rules'),
    'pairmill, rules and language': ours('language'),
    ...(existsSync(peer) ? { cc2dataset: async () => json(await output(peer, [join(here, 'extract/peer.py'), wat])) } : {}),
  };
  const measured = new Map<string, Measured[]>();
  for (let round = 0; round < Number(rounds); round++) {
    for (const [name, measure] of Object.entries(ways)) measured.set(name, [...(measured.get(name) ?? []), await measure()]);
  }
  const size = Number(await output('sh', ['-c', `libdeflate-gunzip -c -k ${wat} | wc -c`])) / 1e6;
  const cpu = (name: string): number => median((measured.get(name) ?? []).map((each) => each.cpu));
  const rules = cpu('pairmill, all rules');
  const rows = [...measured].map(([name, each]) => ({
    way: name,
    'CPU s': cpu(name),
    'MB/s': size / cpu(name),
    links: each[0]!.rows ?? '',
    'peak MB': each[0]!.rss ?? '',
  }));
  return {
    title: `extract: a WAT of ${Math.round(size)} MB uncompressed, one core, median of ${rounds} interleaved rounds`,
    rows,
    ratios: {
      ...(measured.has('cc2dataset') ? { peer: cpu('cc2dataset') / rules } : {}),
      limit: cpu('limit: libdeflate-gunzip') / rules,
      scaling2: await scaling(wat),
    },
  };
}

interface Measured {
  cpu: number;
  rows?: number;
  rss?: number;
}

/** How many times as fast the whole stage is with two workers on two files as with one (wall clock). */
async function scaling(wat: string): Promise<number> {
  const seconds = async (workers: number): Promise<number> => {
    const runDir = mkdtempSync(join(tmpdir(), 'pairmill-bench-run-'));
    const started = performance.now();
    await output(process.execPath, ['src/cli/main.ts', 'extract', '--input', `${wat},${wat}`, '--run-dir', runDir, '--workers', String(workers), '--quiet']);
    rmSync(runDir, { recursive: true });
    return (performance.now() - started) / 1000;
  };
  return (await seconds(1)) / (await seconds(2));
}

function output(command: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.on('data', (part: Buffer) => void (text += part.toString()));
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve(text) : reject(new Error(`${command} ${args.join(' ')} ended with ${code}`))));
  });
}

function json(text: string): Measured {
  return JSON.parse(text.trim().split('\n').at(-1)!) as Measured;
}

/** CPU seconds of a shell command and its children, from bash's `times`. */
async function cpuOf(command: string): Promise<Measured> {
  const text = await output('bash', ['-c', `TIMEFORMAT='%U %S'; { time ${command}; } 2>&1`]);
  const [user, system] = text.trim().split(' ').map(Number) as [number, number];
  return { cpu: user + system };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
