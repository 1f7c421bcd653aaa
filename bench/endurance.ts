import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { readParquet } from '../src/formats/parquet.ts';
import { writeParquet } from '../src/formats/parquet-writer.ts';
import { type Fate, type Kind, kinds } from './endurance/kinds.ts';
import { type PlotLine, plotSvg } from './endurance/plot-svg.ts';
import type { BenchResult } from './main.ts';

const main = join(import.meta.dirname, '../src/cli/main.ts');
const HOSTS = 2000;
const OWN_HOSTS = 20;

interface Sample {
  seconds: number;
  rss: number;
  files: number;
  sockets: number;
}

/**
 * Links with every fault at once, from a local origin, by the real command: what becomes of each kind is compared with what has to,
 * and the memory, open files and sockets of the process are watched to its end. Usage: npm run bench -- endurance
 * [--links 100000] [--shard 10000] [--workers 2] [--plot FILE.svg]
 */
export async function run(args: string[]): Promise<BenchResult> {
  const { values } = parseArgs({
    args,
    options: {
      links: { type: 'string', default: '100000' },
      shard: { type: 'string', default: '10000' },
      workers: { type: 'string', default: '2' },
      plot: { type: 'string' },
    },
  });
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-endurance-'));
  const origin = spawn(process.execPath, [join(import.meta.dirname, 'endurance/origin.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const port = await new Promise<number>((resolve) => origin.stdout.once('data', (line: Buffer) => resolve(Number(line.toString()))));
    const input = join(folder, 'links.parquet');
    await writeParquet(input, z.object({ url: z.string(), text: z.string() }), linksOf(Number(values.links)));
    const output = join(folder, 'samples');
    const nobody = await closedPort();
    const rules = Array.from({ length: OWN_HOSTS }, (_, i) => `dead-${i}.example::127.0.0.1:${nobody}`);
    const samples = await watched(
      [
        'download',
        '--input',
        input,
        '--output',
        output,
        '--rejects',
        'all',
        '--quiet',
        '--workers',
        values.workers,
        '--number-sample-per-shard',
        values.shard,
      ].concat(
        ['--timeout', '6', '--idle-timeout', '3', '--connect-timeout', '5', '--retries', '1', '--max-bytes', '1000000', '--min-bytes', '500'],
        ['--connect-to', [...rules, `::127.0.0.1:${port}`].join(',')],
      ),
    );
    return await reportOf(output, Number(values.links), samples, values.plot);
  } finally {
    origin.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Links of all kinds, mixed; the text says the kind. Ordinary kinds share hosts, so that every host has faults of all kinds. */
function* linksOf(count: number): Generator<{ url: string; text: string }> {
  const shares = Object.entries(kinds) as [Kind, (typeof kinds)[Kind]][];
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  for (let i = 0; i < count; i++) {
    let dice = random(1000);
    const [kind, { hosts }] = shares.find(([, { share }]) => (dice -= share) < 0) as [Kind, { hosts?: string }];
    const host = hosts === undefined ? `host-${random(HOSTS)}.example` : `${hosts}-${random(OWN_HOSTS)}.example`;
    const text = `${kind} ${i}`;
    if (kind === 'no-url') yield { url: `http://[${i}`, text };
    else if (kind === 'private') yield { url: `http://10.0.${i % 256}.1/private/${i}`, text };
    else yield { url: `http://${host}/${kind}/${i}`, text };
  }
}

/** A port of loopback where nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs the command and looks at its process twice a second. Throws where it does not end with 0. */
async function watched(command: string[]): Promise<Sample[]> {
  const started = performance.now();
  const child = spawn(process.execPath, [main, ...command], { stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.on('data', (data: Buffer) => (err = (err + data.toString()).slice(-4000)));
  const samples: Sample[] = [];
  const timer = setInterval(() => {
    void processState(child.pid!).then((state) => {
      if (state) samples.push({ seconds: (performance.now() - started) / 1000, ...state });
    });
  }, 500);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`download ended with ${code}: ${err}`);
  return samples;
}

async function processState(pid: number): Promise<Omit<Sample, 'seconds'> | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'latin1');
    const names = await readdir(`/proc/${pid}/fd`);
    const targets = await Promise.all(names.map(async (name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
    return {
      rss: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1000,
      files: names.length,
      sockets: targets.filter((target) => target.startsWith('socket:')).length,
    };
  } catch {
    // It has ended.
    return undefined;
  }
}

/** Counts what became of each kind, compares it with what had to, and draws the process over time. Throws where they differ. */
async function reportOf(output: string, links: number, samples: readonly Sample[], plot: string | undefined): Promise<BenchResult> {
  const found = new Map<string, number>();
  const count = (text: string, fate: string): void => void found.set(`${text.split(' ')[0]} ${fate}`, (found.get(`${text.split(' ')[0]} ${fate}`) ?? 0) + 1);
  let [rows, packed] = [0, 0];
  for (const name of (await readdir(output)).filter((each) => each.endsWith('.parquet')))
    for await (const { caption, status } of readParquet<{ caption: string; status: string }>(join(output, name))) {
      rows++;
      if (status !== 'success') continue;
      packed++;
      count(caption, 'success');
    }
  const rejects = join(output, 'rejects/download');
  for (const name of await readdir(rejects))
    for await (const { text, reason } of readParquet<{ text: string; reason: string }>(join(rejects, name))) count(text, reason);
  const wrong = [...found].filter(([key]) => !isRight(key));
  const counted = [...found.values()].reduce((sum, each) => sum + each, 0);
  if (rows !== links || counted !== links) throw new Error(`${links} links, ${rows} rows, ${counted} accounted for`);
  const [middle, last] = [median(part(samples, 1)), median(part(samples, 2))];
  const peak = Math.max(...samples.map(({ rss }) => rss));
  if (plot !== undefined) await writeFile(plot, plotSvg(`download: ${links} links with every fault at once`, lines(samples)));
  return {
    title: `endurance: ${links} links with every fault at once from a local origin, ${Math.round(samples.at(-1)!.seconds)} s`,
    rows: [...found]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, number]) => ({ kind: key.split(' ')[0]!, became: key.split(' ')[1]!, links: number, right: isRight(key) ? 'yes' : 'NO' })),
    more: [
      {
        title: 'The process: median of each third of the time, and most',
        rows: (['rss', 'files', 'sockets'] as const).map((what) => ({
          what: what === 'rss' ? 'RSS, MB' : `open ${what}`,
          first: median(part(samples, 0), what),
          middle: median(part(samples, 1), what),
          last: median(part(samples, 2), what),
          most: Math.max(...samples.map((sample) => sample[what])),
        })),
      },
    ],
    ratios: {
      as_expected: 1 - wrong.reduce((sum, [, number]) => sum + number, 0) / links,
      packed: packed / links,
      rss_last_to_middle: last / middle,
      peak_mb: peak,
    },
  };
}

function isRight(key: string): boolean {
  const [kind, fate] = key.split(' ') as [Kind, Fate];
  return kinds[kind].fate === fate;
}

/** A third of the samples, by number. */
function part(samples: readonly Sample[], number: number): readonly Sample[] {
  return samples.slice(Math.floor((samples.length / 3) * number), Math.floor((samples.length / 3) * (number + 1)));
}

function median(samples: readonly Sample[], what: 'rss' | 'files' | 'sockets' = 'rss'): number {
  return samples.map((sample) => sample[what]).sort((a, b) => a - b)[Math.floor(samples.length / 2)]!;
}

function lines(samples: readonly Sample[]): PlotLine[] {
  const points = (what: 'rss' | 'files' | 'sockets'): PlotLine['points'] => samples.map((sample) => ({ x: sample.seconds, y: sample[what] }));
  return [
    { name: 'resident memory of the process', unit: 'MB', colour: '#0b5394', points: points('rss') },
    { name: 'open sockets', unit: 'number', colour: '#a64d00', points: points('sockets') },
    { name: 'open files, sockets included', unit: 'number', colour: '#38761d', points: points('files') },
  ];
}
