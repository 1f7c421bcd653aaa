/**
 * The error classes say what the caller does with them. A message names the subject, what happened with which
 * values, and the next step; `cli/main` prints the message only, never a stack trace.
 */

/** Something expected went wrong. Base of the classes below; `exitCode` is the process's. */
export class PairmillError extends Error {
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.exitCode = exitCode;
  }
}

/** Wrong usage or configuration: nothing was done, the user changes the command. Exit code 2. */
export class UsageError extends PairmillError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 2, options);
  }
}

/** One shard can't be finished (its input is unreadable, say): the run goes on with the others and ends with 1. */
export class ShardError extends PairmillError {
  /** True where another try may succeed (a server that answers 503): the run tries again, with back-off. */
  readonly heals: boolean;

  constructor(message: string, { heals = false, ...options }: ErrorOptions & { heals?: boolean } = {}) {
    super(message, 1, options);
    this.heals = heals;
  }
}

/** The whole run can't go on (disk full, database gone, a model file corrupted): stop now, exit code 1. */
export class RunError extends PairmillError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 1, options);
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error such as ENOSPC, or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? code : undefined;
}
