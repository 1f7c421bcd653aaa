import { PairmillError } from '../contracts/errors.ts';
import { packageVersion } from '../contracts/package-root.ts';
import type { Command, CommandIo } from './command.ts';
import { commands } from './commands.ts';
import { renderHelp, renderOverview } from './help.ts';
import { nearest, parseArguments } from './parse-arguments.ts';

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
  process.exitCode = await main(argv);
} catch (error) {
  process.exitCode = report(error);
}
// Worker threads, sockets and child processes were closed by the command; a handle left open must not keep the shell waiting.
process.exit();

async function main([name, ...rest]: string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.out(renderOverview(commands, packageVersion()));
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    io.out(`${packageVersion()}\n`);
    return 0;
  }
  const command: Command | undefined = commands.find((candidate) => candidate.name === name);
  if (!command) {
    const near = nearest(
      name,
      commands.map((each) => each.name),
    );
    io.err(`pairmill: unknown command ${JSON.stringify(name)}.${near ? ` Did you mean ${near}?` : ''} See pairmill --help.\n`);
    return 2;
  }
  const args = parseArguments(command, rest);
  if (args.flags['help'] === true) {
    io.out(renderHelp(command, io.columns));
    return 0;
  }
  return command.run(args, io);
}

function report(error: unknown): number {
  if (stoppedBy !== undefined) {
    io.err(`pairmill: stopped by ${stoppedBy}. The same command goes on from here.\n`);
    return signalCodes[stoppedBy];
  }
  if (error instanceof PairmillError) {
    io.err(`pairmill: ${error.message}\n`);
    if (debug) io.err(`${error.stack}\n`);
    return error.exitCode;
  }
  io.err(`pairmill: unexpected error: ${error instanceof Error ? error.message : String(error)}\n`);
  io.err(debug ? `${error instanceof Error ? error.stack : ''}\n` : 'Run the same command with --debug for the details, and please report them.\n');
  return 1;
}
