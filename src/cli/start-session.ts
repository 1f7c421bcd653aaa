import type { CommandIo } from './command.ts';
import { dryRun } from './dry-run.ts';
import { withLockedRun } from './locked-run.ts';
import { runSession } from './run-session.ts';
import type { Session } from './session.ts';

/** Runs a session while it holds the lock of its run; with --dry-run, says what that would do. Returns the exit code. */
export function startSession(session: Session, io: CommandIo): Promise<0 | 1> {
  return session.run.dryRun ? dryRun(session, io) : withLockedRun(session.location, io, (held) => runSession(session, held));
}
