import { spawn } from 'node:child_process';

export interface Watchdog {
  /** Tells it the server's process id, once and without delay. */
  watch(pid: number): void;
  /** When the server has ended: its process id is free, and a watchdog would shoot at a stranger. */
  end(): void;
}

/**
 * Fast shutdown first, which keeps the tables. Where that takes more than three seconds (a long checkpoint), the server is
 * cut off: 5 s after us nothing runs any more. A zombie has no command line and is none of ours any longer.
 */
const SCRIPT = `
read -r pid || exit
read -r _
ours() { if [ -e /proc/self ]; then grep -qs "$1" "/proc/$pid/cmdline"; else ps -p "$pid" -o command= | grep -q "$1"; fi; }
for step in INT:3 QUIT:1 KILL:1; do
  ours "$1" || break
  kill "-\${step%:*}" "$pid"
  # By the clock: on a busy machine each turn of the loop takes longer.
  sleep "\${step#*:}" & timer=$!
  while kill -0 "$timer" 2>&- && ours "$1"; do sleep 0.1; done
  kill "$timer" 2>&-
done
rm -rf -- "$2"
`;

/**
 * A shell in a session of its own that reads from a pipe which only we hold open: when we are gone, however that came
 * about, it reads the end and shuts the server `name` down. Started before the server, so that no server is without one.
 */
export function startWatchdog(name: string, socketFolder: string): Watchdog {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'pairmill-watchdog', name, socketFolder], { detached: true, cwd: '/', stdio: ['pipe', 'ignore', 'ignore'] });
  // Without a shell there is no watchdog; the next start still finds the orphan.
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  shell.unref();
  (shell.stdin as unknown as { unref?: () => void }).unref?.();
  return { watch: (pid) => void shell.stdin.write(`${pid}\n`), end: () => void shell.kill('SIGKILL') };
}
