import type { z } from 'zod';

/** Where a command talks. stdout is data, stderr is talk. */
export interface CommandIo {
  out(text: string): void;
  err(text: string): void;
  /** stderr where it is a terminal, for bars instead of lines. */
  readonly terminal: NodeJS.WritableStream | undefined;
  /** Columns of that terminal. */
  readonly columns: number;
  /** Aborted by SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What was typed after the command's name: flags as text, and the rest. */
export interface Arguments {
  flags: Readonly<Record<string, unknown>>;
  positionals: readonly string[];
}

/** A command of `pairmill`. Its options are declared once; flags, help and docs derive from them. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** More, for `pairmill NAME --help` and docs/cli.md. */
  readonly details?: string;
  /** How positionals are shown in help: `CONFIG`. */
  readonly positionals?: string;
  /** Words of which one is the positional; for completion. */
  readonly choices?: readonly string[];
  readonly options: z.ZodObject;
  /** Further options, which help does not list. */
  readonly unlisted?: z.ZodObject;
  /** Not in the list of commands: for developers. */
  readonly hidden?: boolean;
  /** Returns the exit code. Throws PairmillError for expected failures. */
  run(args: Arguments, io: CommandIo): Promise<0 | 1 | 2>;
}
