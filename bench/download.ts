import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { peers, photographs } from '../test/local-paths.ts';
import { hostileUrl } from './download/hostility.ts';
import { startOrigin } from './download/start-origin.ts';
import { peer, type Mode, modes, type Run, type Task, tools } from './download/tools.ts';
import type { BenchResult } from './main.ts';
import { median } from './rounds/median.ts';

const WORKERS = 2;
const SHARD = 1000;
const HOSTS = 100;
const MEMORY_LINKS = 10_000;
const parts = ['resize', 'web', 'large', 'tls', 'memory', 'hostile'] as const;
type Part = (typeof parts)[number];
type Size = 'web' | 'large';
type Table = BenchResult['rows'];
interface Outcome {
  rows: Table;
  ratios: Record<string, number>;
}
interface Setting {
  folder: string;
  rounds: readonly Mode[];
  links: Readonly<Record<'web' | 'large' | 'tls' | 'hostile', number>>;
}

/**
 * Photographs (recipes/photographs) on loopback, beside img2dataset with the same mode, size, quality and number of processes, in rounds that take
 * turns. `resize`: decode, resize and encode alone, beside OpenCV. `web` and `large`: the whole stage with keep-alive. `tls`: each request on a
 * new TLS connection. `memory`: our peak, for one worker with 10,000 links and for two. `hostile`: 1, 10 and 30 % of the links lead to hosts that are
 * slow, silent, lying or not there.
 * Usage: npm run bench -- download [--only PART,…] [--rounds N] [--web LINKS] [--large LINKS] [--tls LINKS] [--hostile LINKS]
 */
export async function run(args: string[]): Promise<BenchResult> {
  const count = (value: string): { type: 'string'; default: string } => ({ type: 'string', default: value });
  const options = { only: count(parts.join(',')), rounds: count('3'), web: count('4000'), large: count('1000'), tls: count('2000'), hostile: count('1000') };
  const { values } = parseArgs({ args, options });
  const wanted = values.only.split(',') as Part[];
  if (wanted.some((part) => !parts.includes(part))) throw new Error(`--only takes ${parts.join(', ')}`);
  if (!existsSync(join(photographs, 'web'))) {
    const missing = [`all of it: ${photographs} has no photographs (recipes/photographs/get.sh gets them; PAIRMILL_PHOTOGRAPHS names another folder)`];
    return { title: 'download: skipped', rows: [], ratios: {}, missing };
  }
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-bench-'));
  const setting: Setting = {
    folder,
    rounds: Array.from({ length: Number(values.rounds) }, (_, i) => modes[i % modes.length]!),
    links: { web: Number(values.web), large: Number(values.large), tls: Number(values.tls), hostile: Number(values.hostile) },
  };
  const measure: Record<Part, () => Promise<Outcome>> = {
    resize: () => resizeRounds(setting),
    web: () => stageRounds(setting, 'web'),
    large: () => stageRounds(setting, 'large'),
    tls: () => stageRounds(setting, 'tls'),
    memory: () => peaks(setting),
    hostile: () => hostileRounds(setting),
  };
  try {
    const tables: { title: string; rows: Table }[] = [];
    const ratios: Record<string, number> = {};
    for (const part of parts) {
      if (!wanted.includes(part)) continue;
      const outcome = await measure[part]();
      tables.push({ title: titles[part], rows: outcome.rows });
      Object.assign(ratios, outcome.ratios);
    }
    const missing = existsSync(peer)
      ? []
      : [`img2dataset: there is no ${peer} (make a virtual environment there and pip install img2dataset; PAIRMILL_PEERS names another folder)`];
    const what = `download: photographs (web: ${await described('web')}; large: ${await described('large')}) to 256, JPEG 95`;
    return { title: `${what}\n\n${tables[0]!.title}`, rows: tables[0]!.rows, more: tables.slice(1), ratios, missing };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const beside = `the whole stage, ${WORKERS} workers, start-up subtracted`;
const titles: Record<Part, string> = {
  resize: 'decode, resize and encode alone, one thread',
  web: `${beside}: web-sized`,
  large: `${beside}: large`,
  tls: `${beside}: web-sized, each request on a new TLS connection`,
  memory: 'peak memory of the process, web-sized and large',
  hostile: `hostile hosts: links to ${HOSTS} hosts, ${WORKERS} workers, time-outs as they are by default (10 s)`,
};

async function described(size: Size): Promise<string> {
  const names = (await readdir(join(photographs, size))).filter((name) => name.endsWith('.jpg'));
  let bytes = 0;
  for (const name of names) bytes += (await stat(join(photographs, size, name))).size;
  return `${names.length} of ${size === 'web' ? '640 x 480' : '1632 x 1224'}, ${Math.round(bytes / names.length / 1000)} KB each`;
}

async function resizeRounds({ rounds }: Setting): Promise<Outcome> {
  const rows: Table = [];
  const ratios: Record<string, number> = {};
  const python = join(peers, 'image/bin/python');
  for (const [size, name] of [
    ['web', 'resize_small'],
    ['large', 'resize_large'],
  ] as const) {
    const measure = (command: string, script: string, mode: Mode): number =>
      Number(
        execFileSync(command, [join(import.meta.dirname, 'download', script), join(photographs, size), mode], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      );
    const times: number[] = [];
    for (const mode of rounds) {
      const ours = measure(process.execPath, 'resize-photographs.ts', mode);
      const theirs = existsSync(python) ? measure(python, 'resize_photographs.py', mode) : undefined;
      if (theirs !== undefined) times.push(theirs / ours);
      rows.push({ size, mode, 'pairmill, CPU ms': ours, ...(theirs !== undefined && { 'OpenCV, CPU ms': theirs, times: theirs / ours }) });
    }
    if (times.length > 0) ratios[name] = median(times);
  }
  return { rows, ratios };
}

async function stageRounds({ folder, rounds, links }: Setting, part: 'web' | 'large' | 'tls'): Promise<Outcome> {
  const origin = await startOrigin(join(photographs, part === 'large' ? 'large' : 'web'), folder);
  const url = (i: number): string =>
    part === 'tls' ? `https://127.0.0.${1 + (i % HOSTS)}:${origin.ports.https}/${i}.jpg` : `http://host-${i % HOSTS}.example/${i}.jpg`;
  const network = part === 'tls' ? { certificate: origin.certificate } : { proxyPort: origin.ports.http };
  const task = (length: number, mode: Mode): Task => ({
    folder,
    urls: Array.from({ length }, (_, i) => url(i)),
    mode,
    workers: WORKERS,
    shard: SHARD,
    ...network,
  });
  const measured: { tool: string; mode: Mode; start: Run; whole: Run }[] = [];
  try {
    for (const mode of rounds)
      for (const { tool, run: runTool } of tools) {
        const start = await runTool(task(20, mode));
        const whole = await runTool(task(links[part], mode));
        if (whole.packed !== links[part]) throw new Error(`${tool} packed ${whole.packed} of ${links[part]}`);
        measured.push({ tool, mode, start, whole });
      }
  } finally {
    origin.close();
  }
  // What a start costs does not depend on the mode, and img2dataset's costs as much as 2,000 pictures: the median of all rounds is subtracted.
  const startOf = (tool: string): number => median(measured.filter((each) => each.tool === tool).map(({ start }) => start.cpuSeconds));
  const rateOf = ({ tool, start, whole }: (typeof measured)[number]): number => (whole.packed - start.packed) / (whole.cpuSeconds - startOf(tool));
  const rows = measured.map((each) => ({
    tool: each.tool,
    mode: each.mode,
    packed: each.whole.packed,
    seconds: each.whole.seconds,
    'CPU seconds': each.whole.cpuSeconds,
    'of which start-up': each.start.cpuSeconds,
    'pictures/s': each.whole.packed / each.whole.seconds,
    'pictures per CPU-second': rateOf(each),
    ...memoryOf(each.whole),
  }));
  if (tools.length < 2) return { rows, ratios: {} };
  const ratioOf = (of: (mode: Mode) => boolean): number => {
    const [ours, theirs] = tools.map(({ tool }) => measured.filter((each) => each.tool === tool && of(each.mode)).map(rateOf));
    return median(ours!.map((rate, i) => rate / theirs![i]!));
  };
  const name = { web: 'peer_small', large: 'peer_large', tls: 'peer_tls' }[part];
  const byMode = [...new Set(rounds)].map((mode): [string, number] => [`${name}_${mode}`, ratioOf((each) => each === mode)]);
  return { rows, ratios: { [name]: ratioOf(() => true), ...Object.fromEntries(byMode) } };
}

async function peaks({ folder }: Setting): Promise<Outcome> {
  const rows: Table = [];
  const ratios: Record<string, number> = {};
  for (const [size, workers, links] of [
    ['web', 1, MEMORY_LINKS],
    ['large', 1, MEMORY_LINKS / 10],
    ['web', 2, MEMORY_LINKS],
  ] as const) {
    const origin = await startOrigin(join(photographs, size), folder);
    try {
      const urls = Array.from({ length: links }, (_, i) => `http://host-${i % HOSTS}.example/${i}.jpg`);
      const measured = await tools[0]!.run({ folder, urls, mode: 'keep_ratio', workers, shard: links / workers, proxyPort: origin.ports.http });
      rows.push({ size, workers, links, seconds: measured.seconds, 'CPU seconds': measured.cpuSeconds, ...memoryOf(measured) });
      const name = workers === 2 ? 'peak_two_mb' : 'peak_mb';
      ratios[name] = Math.max(ratios[name] ?? 0, measured.peakBytes! / 1e6);
    } finally {
      origin.close();
    }
  }
  return { rows, ratios };
}

async function hostileRounds({ folder, links }: Setting): Promise<Outcome> {
  const rows: Table = [];
  const ratios: Record<string, number> = {};
  const origin = await startOrigin(join(photographs, 'web'), folder);
  try {
    for (const percent of [0, 1, 10, 30]) {
      const hostile = (HOSTS * percent) / 100;
      const urls = Array.from({ length: links.hostile }, (_, i) =>
        i % HOSTS < hostile ? hostileUrl(i % HOSTS, `${i}.jpg`, origin.ports) : `http://127.0.0.${1 + (i % HOSTS)}:${origin.ports.http}/${i}.jpg`,
      );
      const good = (links.hostile * (HOSTS - hostile)) / HOSTS;
      const measured = new Map<string, Run>();
      for (const { tool, run: runTool } of tools) {
        const each = await runTool({ folder, urls, mode: 'border', workers: WORKERS, shard: SHARD / 2, certificate: origin.certificate });
        measured.set(tool, each);
        rows.push({
          'hostile hosts, %': percent,
          tool,
          'good links': good,
          packed: each.packed,
          'packed of the good, %': (100 * each.packed) / good,
          seconds: each.seconds,
          ...memoryOf(each),
        });
      }
      const [ours, theirs] = [measured.get('pairmill')!, measured.get('img2dataset')];
      ratios[`hostile_${percent}_success`] = ours.packed / good;
      if (theirs) ratios[`hostile_${percent}_seconds`] = ours.seconds / theirs.seconds;
    }
  } finally {
    origin.close();
  }
  return { rows, ratios };
}

function memoryOf({ peakBytes, longestStallMs, usualStallMs }: Run): Record<string, number> {
  if (peakBytes === undefined) return {};
  return { 'peak MB': peakBytes / 1e6, 'loop held up, ms, 99 %': usualStallMs!, longest: longestStallMs! };
}
