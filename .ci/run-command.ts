import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

export interface CommandOptions {
  /** File that gets stdout and stderr; added to, so that the commands of one step share it. */
  log: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** After this time the command and all that it started are killed. */
  timeoutMs: number;
}

let running: number | undefined;

/** Kills what runs now with all its children; for when this process itself is told to stop. */
export function killRunning(): void {
  if (running !== undefined) kill(running);
}

/** Runs one command without stdin, its output in the log, and gives its exit code; 124 where the time was up. */
export async function runCommand(command: string, args: string[], { log, cwd, env, timeoutMs }: CommandOptions): Promise<number> {
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, 'a');
  // A group of its own, so that servers and browsers which a hung command started end with it.
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', output, output], detached: true });
  running = child.pid;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (child.pid !== undefined) kill(child.pid);
  }, timeoutMs);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(late ? 124 : (code ?? 1)));
    });
  } finally {
    clearTimeout(timer);
    running = undefined;
    closeSync(output);
  }
}

/** The last lines of a log, without colours: some tools write them to files too. */
export function tail(log: string, lines: number): string {
  return stripVTControlCharacters(readFileSync(log, 'utf8')).trimEnd().split('\n').slice(-lines).join('\n');
}

function kill(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
