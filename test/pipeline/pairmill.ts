import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

/** The command: this clone's, or that of the installed package that CI names. */
const launcher = process.env['PAIRMILL_LAUNCHER'] ?? join(root, 'bin', 'pairmill.js');

/** Runs the real command in a process group of its own, with no environment but what a bare machine has. */
export function startPairmill(
  args: string[],
  environment: Record<string, string> = {},
  cwd?: string,
): { child: ChildProcess; finished: Promise<Finished>; err: () => string } {
  const child = spawn(process.execPath, [launcher, ...args], {
    detached: true,
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: 'C.UTF-8', ...environment },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  const finished = new Promise<Finished>((resolve) => child.on('close', (code, signal) => resolve({ code, signal, out, err })));
  return { child, finished, err: () => err };
}

export function pairmill(args: string[], environment: Record<string, string> = {}): Promise<Finished> {
  return startPairmill(args, environment).finished;
}
