import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What a process printed, how long it ran, and the most memory that it held (as Linux says of it, asked several times a second). */
export function measuredProcess(command: string, args: string[]): Promise<{ output: string; seconds: number; peakMb: number }> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let output = '';
    let peakMb = 0;
    const watch = setInterval(() => {
      try {
        const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
        peakMb = Math.max(peakMb, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024);
      } catch {
        // Not on Linux, or it has just ended.
      }
    }, 100);
    child.stdout.on('data', (part: Buffer) => void (output += part.toString()));
    child.on('error', reject);
    child.on('exit', (code) => {
      clearInterval(watch);
      if (code === 0) resolve({ output, seconds: (performance.now() - started) / 1000, peakMb });
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}`));
    });
  });
}
