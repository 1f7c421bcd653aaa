import { spawn } from 'node:child_process';

/** Runs a command to its end and tells its wall clock and processor time, children included, in seconds. Throws where it fails. */
export function timedCommand(
  command: readonly string[],
  environment: Record<string, string> = {},
): Promise<{ seconds: number; cpuSeconds: number; out: string }> {
  const child = spawn('bash', ['-c', 'TIMEFORMAT="%R %U %S"; time "$@" 2>/dev/null', 'bash', ...command], { env: { ...process.env, ...environment } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const [seconds, user, system] = err.trim().split('\n').at(-1)!.split(' ').map(Number) as [number, number, number];
      if (code === 0) resolve({ seconds, cpuSeconds: user + system, out });
      else reject(new Error(`${command.join(' ')} ended with ${code}: ${out}`));
    });
  });
}
