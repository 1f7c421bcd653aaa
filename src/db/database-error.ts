import { messageOf, PairmillError, RunError, ShardError, systemCode } from '../contracts/errors.ts';

/** What the driver says when a connection ends that is in use. */
export const CONNECTION_LOST = 'the connection to the database was lost';

/** Codes of the driver and of PostgreSQL (appendix A of its manual) with which nothing can go on. */
const TROUBLES: readonly { codes: RegExp; happened: string; next: string }[] = [
  { codes: /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|08)/, happened: 'the connection to the database was lost', next: '' },
  { codes: /^57P0[1235]/, happened: 'the database is shutting down or starting', next: '' },
  { codes: /^53100/, happened: 'the disk of the database is full', next: 'Make room on it. ' },
  { codes: /^53200/, happened: 'the database has not enough memory', next: 'Free some. ' },
  { codes: /^53300/, happened: 'the database has no connection left', next: 'End other programs that use it, or raise its max_connections. ' },
  { codes: /^(58|XX00[12])/, happened: "the database can't read or write its files", next: 'Look at its disk. ' },
];

/** PostgreSQL has no code for it: it calls it a lack of privileges, as it does what its roles may not do. */
const READ_ONLY = { said: /Read-only file system/, happened: 'the disk of the database has become read-only', next: 'Look at that disk (dmesg may say why). ' };

/**
 * What to throw when `what` fails ("batch 3 can't be drawn"): a RunError in plain words where the database is gone or at
 * its limits, so that nothing can go on; else a ShardError. An error of ours comes back as it is.
 */
export function databaseError(what: string, error: unknown): PairmillError {
  if (error instanceof PairmillError) return error;
  const options = { cause: error };
  const trouble = troubleOf(error);
  if (!trouble) return new ShardError(`${what}: ${messageOf(error)}`, options);
  const said = messageOf(error) === trouble.happened ? '' : ` (${messageOf(error)})`;
  return new RunError(`${what}: ${trouble.happened}${said}. ${trouble.next}Nothing is lost: the same command goes on from here.`, options);
}

function troubleOf(error: unknown): { happened: string; next: string } | undefined {
  if (messageOf(error) === CONNECTION_LOST) return TROUBLES[0];
  if (READ_ONLY.said.test(messageOf(error))) return READ_ONLY;
  const code = systemCode(error) ?? '';
  // The socket is gone. Of a file the same code says something else.
  if (code === 'ENOENT' && (error as NodeJS.ErrnoException).syscall === 'connect') return TROUBLES[0];
  // A name with several addresses fails with one error for each.
  if (error instanceof AggregateError && !code) return TROUBLES.find(({ codes }) => error.errors.some((each) => codes.test(systemCode(each) ?? '')));
  return TROUBLES.find(({ codes }) => codes.test(code));
}
