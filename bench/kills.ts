import { isDeepStrictEqual, parseArgs } from 'node:util';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Finished, pairmill, startPairmill } from '../test/pipeline/pairmill.ts';
import { contentOf, type RunContent } from '../test/pipeline/run-content.ts';
import { StableServer } from './kills/stable-server.ts';
import type { BenchResult } from './main.ts';

interface Blow {
  run: number;
  what: 'kill' | 'restart';
  /** Seconds after the start. */
  after: number;
  /** What the progress display said last. */
  at: string;
  ended: string;
}

/**
 * Runs of the demo, killed (kill -9 of the process group) and with their PostgreSQL cut off and started again under them, at random
 * moments, each time followed by the same command; and in the end compared with a run that nothing happened to: nothing is lost and
 * nothing is there twice. Half of the runs have the embedded server, which dies with them, half one of their own.
 * Usage: npm run bench -- kills [--kills 50] [--restarts 5] [--candidates 300]
 */
export async function run(args: string[]): Promise<BenchResult> {
  const { values } = parseArgs({
    args,
    options: { kills: { type: 'string', default: '50' }, restarts: { type: 'string', default: '5' }, candidates: { type: 'string', default: '300' } },
  });
  const base = await mkdtemp(join(tmpdir(), 'pk-'));
  const left = { kill: Number(values.kills), restart: Number(values.restarts) };
  const blows: Blow[] = [];
  try {
    const demo = (name: string, ...more: string[]): string[] => [
      'demo',
      '--no-serve',
      '--candidates',
      values.candidates,
      '--run-dir',
      join(base, name),
      ...more,
    ];
    const started = performance.now();
    assertEnded(await pairmill(demo('quiet')));
    const seconds = (performance.now() - started) / 1000;
    const quiet = await contentOf(join(base, 'quiet'));
    let runs = 0;
    for (; left.kill > 0 || left.restart > 0; runs++) {
      // A server of its own where it is to be restarted under the run, or for the sake of it.
      const server = runs % 2 === 1 || left.kill === 0 ? new StableServer(join(base, `db${runs}`)) : undefined;
      await server?.start();
      const command = demo(`run-${runs}`, ...(server ? ['--db', server.url] : []));
      await batter(runs, command, seconds, server, left, blows);
      assertEnded(await pairmill(command));
      await server?.stop();
      assertSame(await contentOf(join(base, `run-${runs}`)), quiet, runs);
      await rm(join(base, `run-${runs}`), { recursive: true });
    }
    return {
      title: `kills: ${runs} runs of ${values.candidates} candidates, all with the content of a quiet one (${Math.round(seconds)} s)`,
      rows: blows.map((blow) => ({ ...blow })),
      ratios: { kills: blows.filter(({ what }) => what === 'kill').length, restarts: blows.filter(({ what }) => what === 'restart').length, runs },
    };
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

/** Starts the command again and again, with a blow each time, until one comes too late or none is left. At most a third of all hits one run. */
async function batter(
  run: number,
  command: string[],
  seconds: number,
  server: StableServer | undefined,
  left: { kill: number; restart: number },
  blows: Blow[],
): Promise<void> {
  const most = { kill: Math.max(5, Math.ceil((left.kill + blows.length) / 3)), restart: 2 };
  for (let hits = 0; hits < most.kill; hits++) {
    const what = server && left.restart > 0 && (hits % 3 === 1 || left.kill === 0) ? 'restart' : 'kill';
    if (left[what] === 0) return;
    const { child, finished, err } = startPairmill(command);
    let over: Finished | undefined;
    void finished.then((each) => (over = each));
    const began = performance.now();
    // A tenth of the whole in the mean, counted from where the stages begin, so that the blows spread over them.
    while (over === undefined && !err().includes('crawl:')) await sleep(20);
    await sleep(Math.random() * seconds * 200);
    if (over !== undefined) {
      assertEnded(over);
      return;
    }
    const blow = { run, what, after: (performance.now() - began) / 1000, at: lastLine(err()) } as const;
    if (what === 'kill') process.kill(-child.pid!, 'SIGKILL');
    else await server!.restart(500);
    const { code, signal, err: said } = await finished;
    // A run that has lost its server says so, and that nothing is lost; one that needed it no more goes on.
    if (what === 'restart' && code !== 0 && !said.includes('same command')) throw new Error(`run ${run} ended with ${code}:\n${said}`);
    blows.push({ ...blow, ended: signal ?? `exit ${code}` });
    left[what]--;
    if (code === 0) return;
  }
}

function assertEnded({ code, signal, err }: Finished): void {
  if (code !== 0) throw new Error(`the command ended with ${code ?? signal}:\n${err}`);
}

function assertSame(content: RunContent, quiet: RunContent, run: number): void {
  for (const [part, wanted] of Object.entries(quiet))
    if (!isDeepStrictEqual(content[part as keyof RunContent], wanted)) throw new Error(`run ${run}: ${part} is other than that of the quiet run`);
}

function lastLine(text: string): string {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  return (lines.at(-1) ?? '').trim().slice(0, 60);
}
