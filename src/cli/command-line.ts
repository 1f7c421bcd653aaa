import { PairmillError } from '../contracts/errors.ts';
import { packageVersion } from '../contracts/package-root.ts';
import type { Command, CommandIo } from './command.ts';
import { commands } from './commands.ts';
import { fileSystemError } from './file-system-error.ts';
import { renderHelp, renderOverview } from './help.ts';
import { misspeltVariables } from './misspelt-variables.ts';
import { nearest } from '../runtime/nearest.ts';
import { parseArguments } from './parse-arguments.ts';

/** Runs what was typed after `pairmill`. Returns the exit code; throws what the command throws. */
export async function runCommandLine([name, ...rest]: readonly string[], io: CommandIo): Promise<number> {
  if (name === 'help' && rest.length > 0) return runCommandLine([...rest, '--help'], io);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.out(renderOverview(commands, packageVersion()));
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    io.out(`${packageVersion()}\n`);
    return 0;
  }
  // `tag train` is a command of its own beside `tag`.
  const longer = commands.find((candidate) => candidate.name === `${name} ${rest[0]}`);
  const command: Command | undefined = longer ?? commands.find((candidate) => candidate.name === name);
  if (!command) {
    const near = nearest(
      name,
      commands.filter(({ hidden }) => !hidden).map((each) => each.name),
    );
    io.err(`pairmill: unknown command ${JSON.stringify(name)}.${near ? ` Did you mean ${near}?` : ''} pairmill --help lists the commands.\n`);
    return 2;
  }
  const args = parseArguments(command, longer ? rest.slice(1) : rest, commands);
  if (args.flags['help'] === true) {
    io.out(renderHelp(command, io.columns));
    return 0;
  }
  for (const line of misspeltVariables(io.environment, commands)) io.err(`warning: ${line}\n`);
  return command.run(args, io);
}

/** A message that begins with the command has its subject already. */
function withName(message: string): string {
  return message.startsWith('pairmill ') ? message : `pairmill: ${message}`;
}

/** What is printed of an error, and the exit code. `debug` adds where it was thrown. */
export function describeError(thrown: unknown, debug: boolean): { text: string; exitCode: 1 | 2 } {
  const error = thrown instanceof PairmillError ? thrown : (fileSystemError(thrown) ?? thrown);
  if (error instanceof PairmillError) return { text: `${withName(error.message)}\n${debug ? `${error.stack}\n` : ''}`, exitCode: error.exitCode };
  const message = error instanceof Error ? error.message : String(error);
  const more = debug
    ? (error instanceof Error && error.stack) || ''
    : 'This is a mistake in Pairmill. Run the same command with --debug for the details, and please report them.';
  return { text: `pairmill: unexpected error: ${message}\n${more}\n`, exitCode: 1 };
}
