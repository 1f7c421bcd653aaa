import type { CommandIo } from './command.ts';
import { describeError, runCommandLine } from './command-line.ts';

/** The entry of `pairmill`: the only module of the command line that reads argv and the environment, prints and exits. */

// A reader that went away (`pairmill … | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const stop = new AbortController();
const signalCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** A terminal sends Ctrl-C to the launcher and to us, and the launcher may pass it on: that is one. */
const SAME_SIGNAL_MS = 300;
let stoppedBy: keyof typeof signalCodes | undefined;
let stoppedAt = 0;
for (const signal of Object.keys(signalCodes) as (keyof typeof signalCodes)[]) {
  process.on(signal, () => {
    // A second signal ends at once: everything finished has its marker.
    if (stoppedBy !== undefined && Date.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(signalCodes[stoppedBy]);
    stoppedBy ??= signal;
    stoppedAt ||= Date.now();
    stop.abort(signal);
  });
}

const io: CommandIo = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal: process.stderr.isTTY ? process.stderr : undefined,
  columns: process.stderr.columns ?? 100,
  signal: stop.signal,
  environment: process.env,
};

const debug = process.argv.includes('--debug');
const argv = process.argv.slice(2).filter((argument) => argument !== '--debug');

try {
  process.exitCode = await runCommandLine(argv, io);
} catch (error) {
  process.exitCode = report(error);
}
// Worker threads, sockets and child processes were closed by the command; a handle left open must not keep the shell waiting.
process.exit();

function report(error: unknown): number {
  if (stoppedBy !== undefined) {
    io.err(`pairmill: stopped by ${stoppedBy}. The same command goes on from here.\n`);
    return signalCodes[stoppedBy];
  }
  const { text, exitCode } = describeError(error, debug);
  io.err(text);
  return exitCode;
}
