import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { clusterName, serverProcesses } from '../../src/db/server-processes.ts';
import { root } from '../pipeline/pairmill.ts';

/** How `pairmill` is started: on the Node of the package, on an older one that starts it, or so in a terminal. */
export type Start = 'node' | 'launcher' | 'terminal';

export interface SignalledRun {
  /** True when the stage is at work; false where the run ended before. */
  untilAtWork(stage: string): Promise<boolean>;
  /** As a person or the system sends it: Ctrl-C is typed, a terminal is closed; everything else goes to the process that was started. */
  send(signal: NodeJS.Signals): void;
  /** kill -9 of the process that was started, and of nothing else. */
  killLauncher(): void;
  /** Exit code as a shell says it, what was printed, and how long after the last signal. */
  readonly ended: Promise<{ code: number; err: string; seconds: number }>;
}

/** Starts the command through a shell that writes down the exit code: of a terminal that was closed nothing can be read. */
export function startSignalled(args: string[], start: Start, { folder, oldNode }: { folder: string; oldNode: string }): SignalledRun {
  const node = start === 'node' ? process.execPath : oldNode;
  const codeFile = join(folder, `code-${randomUUID()}`);
  const command = [node, join(root, 'bin', 'pairmill.js'), ...args];
  // The shell lives through the signals of its terminal, and its child has their usual meaning.
  const script = `trap : HUP INT; sh -c 'echo $$ >"$0.pid"; exec "$@"' ${[codeFile, ...command].map((word) => `'${word}'`).join(' ')}; echo $? >'${codeFile}'`;
  const scriptFile = `${codeFile}.sh`;
  writeFileSync(scriptFile, script);
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: 'C.UTF-8', TERM: 'xterm' };
  const options = { detached: true, env };
  // A closed terminal tells the first process of its session, and as that ends, all others: so that is another shell.
  const child: ChildProcess =
    start === 'terminal'
      ? spawn('script', ['-qec', `sh ${scriptFile}; :`, '/dev/null'], { ...options, stdio: ['pipe', 'pipe', 'ignore'] })
      : spawn('sh', [scriptFile], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let err = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (err += data.toString()));
  child.stdin?.on('error', () => undefined);
  let sentAt = Date.now();
  const pid = async (): Promise<number> => Number(await untilWritten(`${codeFile}.pid`));
  const ended = (async () => {
    const code = Number(await untilWritten(codeFile));
    return { code, err, seconds: (Date.now() - sentAt) / 1000 };
  })();
  let over = false;
  void ended.then(() => (over = true));
  const runDir = args[args.indexOf('--run-dir') + 1]!;
  return {
    ended,
    async untilAtWork(stage) {
      // A shard at work has a folder there.
      while (!over && !(await names(join(runDir, '.scratch'))).some((name) => name.startsWith(`${stage}-`))) await pause(2);
      return !over;
    },
    send(signal) {
      sentAt = Date.now();
      if (start === 'terminal' && signal === 'SIGINT') child.stdin!.write('\u0003');
      else if (start === 'terminal' && signal === 'SIGHUP') child.kill('SIGKILL');
      else void pid().then((id) => process.kill(id, signal));
    },
    killLauncher() {
      sentAt = Date.now();
      void pid().then((id) => process.kill(id, 'SIGKILL'));
    },
  };
}

/** What a run that has ended must not leave: processes, locks, sockets, scratch, unfinished files. */
export async function leftBy(runDir: string): Promise<string[]> {
  const left: string[] = [];
  const home = join(await realpath(runDir), 'postgres');
  const record = JSON.parse(await readFile(join(home, 'server.json'), 'utf8').catch(() => '{}')) as { serverRoot?: string; socketFolder?: string };
  const name = clusterName(join(record.serverRoot ?? home, 'data'));
  for (const pid of await serverProcesses(name)) left.push(`PostgreSQL ${pid}`);
  for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
    if (Number(pid) !== process.pid && (line.includes(runDir) || line.includes(`pairmill-watchdog ${name}`))) left.push(`${pid}: ${line}`);
  }
  if (record.socketFolder !== undefined && (await names(record.socketFolder)).length > 0) left.push(record.socketFolder);
  for (const entry of await names(runDir)) if (entry.startsWith('.')) left.push(entry);
  for (const dataset of await names(runDir))
    if (dataset !== 'postgres') for (const entry of await names(join(runDir, dataset))) if (/\.(tmp|partial)$/.test(entry)) left.push(`${dataset}/${entry}`);
  return left;
}

async function untilWritten(path: string): Promise<string> {
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.endsWith('\n')) return text.trim();
    await pause(10);
  }
}

const names = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
