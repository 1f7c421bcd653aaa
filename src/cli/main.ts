import { isatty } from 'node:tty';
import type { CommandIo } from './command.ts';
import { describeError, runCommandLine } from './command-line.ts';

/** The entry of `pairmill`: the only module of the command line that reads argv and the environment, prints and exits. */

// A reader that went away (`pairmill … | head`) is no failure. A terminal that went away says EIO, and its SIGHUP comes as well.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  if (code !== 'EIO') process.exit(code === 'EPIPE' ? 0 : 1);
});
// Where nobody reads what a run says, it goes on.
process.stderr.on('error', () => undefined);

const stop = new AbortController();
const signalCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type StopSignal = keyof typeof signalCodes;
/** A terminal sends Ctrl-C to the launcher and to us, and the launcher may pass it on: that is one. */
const SAME_SIGNAL_MS = 300;
/** After a signal the process is gone within 5 s, whatever hangs. */
const MAX_STOP_MS = 4_500;
let stoppedBy: StopSignal | undefined;
let stoppedAt = 0;
for (const signal of Object.keys(signalCodes) as StopSignal[]) process.on(signal, () => stopBy(signal));
// The launcher of an older Node holds this channel. When it was killed, nobody is left who could stop the run.
process.on('disconnect', () => stopBy('SIGTERM'));
process.channel?.unref();
if (process.connected === false) stopBy('SIGTERM');

const inTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
let threads = 0;
process.on('worker', (worker) => {
  threads++;
  worker.once('exit', () => threads--);
});

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
// `process.exit` waits for threads that are in native code, ONNX Runtime aborts in some of them, and Node aborts where it can't reset
// a terminal that is gone.
if (stoppedBy !== undefined && process.exitCode !== 0 && (threads > 0 || (stoppedBy === 'SIGHUP' && inTerminal))) endBy(stoppedBy);
// Worker threads, sockets and child processes were closed by the command; a handle left open must not keep the shell waiting.
process.exit();

function stopBy(signal: StopSignal): void {
  if (stoppedBy !== undefined) {
    // A second signal ends at once: everything finished has its marker.
    if (Date.now() - stoppedAt > SAME_SIGNAL_MS) endBy(stoppedBy);
    return;
  }
  stoppedBy = signal;
  stoppedAt = Date.now();
  setTimeout(() => {
    io.err(stoppedMessage(signal));
    endBy(signal);
  }, MAX_STOP_MS).unref();
  stop.abort(signal);
}

/** Ends now, by the signal itself: to a shell that is the same exit code. */
function endBy(signal: StopSignal): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // The first process of a container does not end by a signal of its own.
  process.exit(signalCodes[signal]);
}

function stoppedMessage(signal: StopSignal): string {
  return `pairmill: stopped by ${signal}. The same command goes on from here.\n`;
}

function report(error: unknown): number {
  if (stoppedBy !== undefined) {
    io.err(stoppedMessage(stoppedBy));
    return signalCodes[stoppedBy];
  }
  const { text, exitCode } = describeError(error, debug);
  io.err(text);
  return exitCode;
}
