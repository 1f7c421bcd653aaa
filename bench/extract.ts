import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measuredProcess } from './extract/measured-process.ts';
import { writeWat } from './extract/wat-corpus.ts';
import { peers, realWats } from '../test/local-paths.ts';
import type { BenchResult } from './main.ts';
import { median } from './rounds/median.ts';

const peer = join(peers, 'crawl/bin/python');
const haveInflater = (): boolean => spawnSync('libdeflate-gunzip', ['-h'], { stdio: 'ignore' }).error === undefined;

/**
 * Extraction on one core, against cc2dataset's own function and against `libdeflate-gunzip` alone (the limit: nobody
 * reads a WAT faster than it inflates), interleaved, CPU seconds, median of the rounds: on a generated WAT, and on genuine
 * ones (of the shared data's WARCs, made by extract/make-wats.sh) repeated to 600 MB. Then the whole stage on one core with
 * one worker and on two with two (by taskset). Options: MEGABYTES (1000), ROUNDS (5). cc2dataset and the genuine WATs are
 * measured where test/local-paths.ts finds them.
 */
export async function run([megabytes = '1000', rounds = '5']: string[]): Promise<BenchResult> {
  const folder = join(tmpdir(), 'pairmill-bench');
  mkdirSync(folder, { recursive: true });
  const generated = join(folder, `${megabytes}.warc.wat.gz`);
  await writeWat(generated, Number(megabytes));
  const first = await compare(generated, Number(rounds));
  const real = realWat(folder);
  const second = real === undefined ? undefined : await compare(real, Number(rounds));
  const workers = await stageWithWorkers(generated, Math.min(3, Number(rounds)));
  const missing = [
    ...(haveInflater() ? [] : ['libdeflate-gunzip, the limit (apt-get install libdeflate-tools)']),
    ...(existsSync(peer)
      ? []
      : [`cc2dataset: there is no ${peer} (make a virtual environment there and pip install cc2dataset; PAIRMILL_PEERS names another folder)`]),
    ...(real === undefined
      ? [`genuine WATs: there are none in ${realWats} (bench/extract/make-wats.sh makes them; PAIRMILL_REAL_WATS names another folder)`]
      : []),
  ];
  return {
    missing,
    title: `extract: a generated WAT of ${Math.round(first.size)} MB uncompressed, one core, median of ${rounds} interleaved rounds`,
    rows: first.rows,
    more: [
      ...(second
        ? [{ title: `Genuine WATs repeated to ${Math.round(second.size)} MB: after the first time all links are duplicates`, rows: second.rows }]
        : []),
      { title: 'The whole stage (language, Parquet, statistics) on eight generated files, wall clock', rows: workers.rows },
    ],
    ratios: {
      ...first.ratios,
      ...(second ? Object.fromEntries(Object.entries(second.ratios).map(([name, value]) => [`${name}Genuine`, value])) : {}),
      scaling2: workers.scaling2,
    },
  };
}

interface Measured {
  cpu: number;
  rows?: number;
  rss?: number;
}

interface Comparison {
  /** Megabytes, uncompressed. */
  size: number;
  rows: BenchResult['rows'];
  ratios: Record<string, number>;
}

async function compare(wat: string, rounds: number): Promise<Comparison> {
  const [script, peerScript] = [join(import.meta.dirname, 'extract/ours.ts'), join(import.meta.dirname, 'extract/peer.py')];
  const ours = (mode: string) => async (): Promise<Measured> => json((await measuredProcess(process.execPath, [script, wat, mode])).output);
  const ways: Record<string, () => Promise<Measured>> = {
    ...(haveInflater() ? { 'limit: libdeflate-gunzip': () => cpuOf(`libdeflate-gunzip -c -k ${wat} > /dev/null`) } : {}),
    'pairmill, gzip and records': ours('inflate'),
    'pairmill, links of pages': ours('parse'),
    'pairmill, all rules': ours('rules'),
    'pairmill, rules and language': ours('language'),
    ...(existsSync(peer) ? { cc2dataset: async () => json((await measuredProcess(peer, [peerScript, wat])).output) } : {}),
  };
  const measured = new Map<string, Measured[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of Object.entries(ways)) measured.set(name, [...(measured.get(name) ?? []), await measure()]);
  }
  const size = Number((await measuredProcess('sh', ['-c', `gzip -dc ${wat} | wc -c`])).output) / 1e6;
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
    size,
    rows,
    ratios: {
      ...(measured.has('cc2dataset') ? { peer: cpu('cc2dataset') / rules, otherPairs: await otherPairs(wat, script, peerScript) } : {}),
      ...(measured.has('limit: libdeflate-gunzip') ? { limit: cpu('limit: libdeflate-gunzip') / rules } : {}),
    },
  };
}

/** Pairs of URL and alt text that only one of the two has, as a share of cc2dataset's. */
async function otherPairs(wat: string, script: string, peerScript: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'pairmill-bench-pairs-'));
  const [ours, theirs] = [join(folder, 'ours.json'), join(folder, 'theirs.json')];
  await measuredProcess(process.execPath, [script, wat, 'pairs', ours]);
  await measuredProcess(peer, [peerScript, wat, theirs]);
  const [a, b] = [ours, theirs].map((path) => JSON.parse(readFileSync(path, 'utf8')) as [string, string][]) as [[string, string][], [string, string][]];
  rmSync(folder, { recursive: true });
  return (without(b, a) + without(a, b)) / b.length;
}

/** How many of `pairs` are not in `others`, each there counting once. */
function without(pairs: readonly [string, string][], others: readonly [string, string][]): number {
  const left = new Map<string, number>();
  for (const pair of others) left.set(pair.join('\n'), (left.get(pair.join('\n')) ?? 0) + 1);
  return pairs.filter((pair) => {
    const count = left.get(pair.join('\n')) ?? 0;
    left.set(pair.join('\n'), count - 1);
    return count <= 0;
  }).length;
}

/** The genuine WATs in one file, again and again; undefined where there are none. */
function realWat(folder: string): string | undefined {
  const files = globSync(join(realWats, '*.warc.wat.gz')).sort();
  if (files.length === 0) return undefined;
  const path = join(folder, 'genuine.warc.wat.gz');
  rmSync(path, { force: true });
  const bytes = Buffer.concat(files.map((file) => readFileSync(file)));
  // Members one after another are a file of members.
  do appendFileSync(path, bytes);
  while (statSync(path).size < 110_000_000);
  return path;
}

/** Wall clock and memory of the whole stage on one core with one worker and on two cores with two, interleaved. */
async function stageWithWorkers(wat: string, rounds: number): Promise<{ rows: BenchResult['rows']; scaling2: number }> {
  const seconds = new Map<number, number[]>();
  const peaks = new Map<number, number>();
  for (let round = 0; round < rounds; round++) {
    for (const workers of [1, 2]) {
      const runDir = mkdtempSync(join(tmpdir(), 'pairmill-bench-run-'));
      const input = Array.from({ length: 8 }, () => wat).join(',');
      const cores = Array.from({ length: workers }, (_, core) => core).join(',');
      const args = [
        '-c',
        cores,
        process.execPath,
        'src/cli/main.ts',
        'extract',
        '--input',
        input,
        '--run-dir',
        runDir,
        '--workers',
        String(workers),
        '--quiet',
      ];
      const done = await measuredProcess('taskset', args);
      rmSync(runDir, { recursive: true });
      seconds.set(workers, [...(seconds.get(workers) ?? []), done.seconds]);
      peaks.set(workers, Math.max(peaks.get(workers) ?? 0, done.peakMb));
    }
  }
  const rows = [1, 2].map((workers) => ({ 'cores and workers': workers, seconds: median(seconds.get(workers)!), 'peak MB': peaks.get(workers)! }));
  return { rows, scaling2: rows[0]!.seconds / rows[1]!.seconds };
}

function json(text: string): Measured {
  return JSON.parse(text.trim().split('\n').at(-1)!) as Measured;
}

/** CPU seconds of a shell command and its children, from bash's `times`. */
async function cpuOf(command: string): Promise<Measured> {
  const { output } = await measuredProcess('bash', ['-c', `TIMEFORMAT='%U %S'; { time ${command}; } 2>&1`]);
  const [user, system] = output.trim().split(' ').map(Number) as [number, number];
  return { cpu: user + system };
}
