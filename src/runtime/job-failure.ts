import { messageOf, RunError, ShardError, UsageError } from '../contracts/errors.ts';

/** The error of a job as it crosses from its thread: plain data, with the class by name. */
export interface JobFailure {
  kind: 'shard' | 'run' | 'usage';
  heals: boolean;
  message: string;
  stack: string | undefined;
}

export function failureOf(error: unknown): JobFailure {
  const heals = error instanceof ShardError && error.heals;
  return { kind: kindOf(error), heals, message: messageOf(error), stack: error instanceof Error ? error.stack : undefined };
}

function kindOf(error: unknown): JobFailure['kind'] {
  if (error instanceof RunError) return 'run';
  return error instanceof UsageError ? 'usage' : 'shard';
}

export function errorOf({ kind, heals, message, stack }: JobFailure): Error {
  const classes = { shard: () => new ShardError(message, { heals }), run: () => new RunError(message), usage: () => new UsageError(message) };
  const error = classes[kind]();
  if (stack !== undefined) error.stack = stack;
  return error;
}
