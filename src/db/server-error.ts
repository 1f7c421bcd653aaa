import { messageOf, PairmillError, RunError, systemCode } from '../contracts/errors.ts';

/** What PostgreSQL's programs and system calls say, and what to do about it. Both put it in the same words. */
const CAUSES: readonly { said: RegExp; reason: string; next: string }[] = [
  { said: /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/, reason: 'the disk is full', next: 'Make room there' },
  {
    said: /EROFS|Read-only file system/,
    reason: 'it lies on a read-only file system',
    next: 'Give a --run-dir that can be written, or a server with --db postgres://…',
  },
  {
    said: /EACCES|EPERM|Permission denied|Operation not permitted/,
    reason: 'this user may not write there',
    next: 'Run as the owner of the folder, or give another --run-dir or a server with --db postgres://…',
  },
  {
    said: /ENOMEM|Cannot allocate memory|could not map anonymous shared memory/,
    reason: 'there is not enough memory',
    next: 'Free some, or give a server with --db postgres://…',
  },
];

/**
 * Why the run's own server can't be started in `serverRoot`, in plain words where the error or what a program `said` shows a
 * known cause. Errors of ours come back as they are.
 */
export function serverError(serverRoot: string, error: unknown, said = ''): PairmillError {
  if (error instanceof PairmillError) return error;
  const text = `${systemCode(error) ?? ''} ${messageOf(error)} ${said}`;
  const known = CAUSES.find((cause) => cause.said.test(text));
  const where = (error as { path?: string }).path ?? serverRoot;
  const options = { cause: error };
  if (known) return new RunError(`PostgreSQL can't be started in ${where}: ${known.reason}. ${known.next}, then start the same command again.`, options);
  return new RunError(
    `PostgreSQL can't be started in ${where}: ${messageOf(error)}. Start the same command again; if it fails again, remove ${serverRoot}: the run makes its database anew.`,
    options,
  );
}

/** What to throw where the start was cut short. */
export function startStopped(signal: AbortSignal): RunError {
  return new RunError('Stopped while PostgreSQL started. The same command goes on from here.', { cause: signal.reason });
}
