import postgres from 'postgres';
import { messageOf, type PairmillError, RunError, UsageError } from '../contracts/errors.ts';

/** A pool of connections; a tagged template runs a query. int8 comes and goes as BigInt: a hash is never a number. */
export type Database = postgres.Sql<{ bigint: bigint }>;

const CONNECT_TIMEOUT_MS = 20_000;

export interface ConnectOptions {
  /** Connections at most. */
  readonly max?: number;
  /** Its abort ends the attempt. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects to a server by URL: `postgres://user:password@host:port/database`, or over a Unix socket
 * `postgres://user@/database?host=/folder`. Nothing of the PG… environment is used that the URL states.
 * Throws UsageError where the server can't be reached or refuses us, RunError where that is the run's own server, and when
 * the signal aborts. The caller ends it with `await sql.end()`.
 */
export async function connect(url: string, { max = 4, signal }: ConnectOptions = {}): Promise<Database> {
  const sql = open(url, max);
  try {
    await withinTime(sql`SELECT 1`, signal);
    return sql;
  } catch (cause) {
    await sql.end({ timeout: signal?.aborted ? 0 : 1 });
    throw cannotConnect(url, cause, signal);
  }
}

/** The driver's own limit ends with the TCP connection: a peer that accepts and is silent would hold us for ever. */
async function withinTime(query: PromiseLike<unknown>, signal: AbortSignal | undefined): Promise<void> {
  let timer;
  let onabort = (): void => undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${CONNECT_TIMEOUT_MS / 1000} s`)), CONNECT_TIMEOUT_MS + 1000);
    onabort = () => reject(new Error('stopped'));
    if (signal?.aborted) onabort();
    else signal?.addEventListener('abort', onabort, { once: true });
  });
  try {
    await Promise.race([query, late]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onabort);
  }
}

function cannotConnect(url: string, cause: unknown, signal: AbortSignal | undefined): PairmillError {
  if (signal?.aborted) return new RunError('Stopped while it connected to the database. The same command goes on from here.', { cause });
  if (/[?&]host=(%2F|\/)[^&]*pairmill-\w{6}(&|$)/i.test(url))
    return new RunError(`PostgreSQL of this run can't be reached: ${reason(cause)}. Start the same command again: nothing is lost.`, { cause });
  return new UsageError(
    `The database ${withoutPassword(url)} can't be used: ${reason(cause)}. Check --db, and that the server runs; then start the same command again.`,
    { cause },
  );
}

function open(url: string, max: number): Database {
  let parsed: URL;
  try {
    // `postgres://user@/database`, libpq's form of a URL without a host, is none to the URL parser.
    parsed = new URL(url.replace(/^(\w+:\/\/(?:[^/?@]*@)?)(?=[/?]|$)/, '$1localhost'));
  } catch (cause) {
    throw new UsageError(`--db ${withoutPassword(url)} is not a URL of the form postgres://user@host:5432/database.`, { cause });
  }
  if (!/^postgres(ql)?:$/.test(parsed.protocol)) throw new UsageError(`--db must be a postgres:// URL, but it is ${parsed.protocol}//….`);
  const folder = parsed.searchParams.get('host');
  // The driver would send it to the server as a setting.
  parsed.searchParams.delete('host');
  return postgres(parsed.href, {
    max,
    ...(folder?.startsWith('/') ? { path: `${folder}/.s.PGSQL.${parsed.port || '5432'}` } : {}),
    types: { bigint: postgres.BigInt },
    // "relation already exists, skipping" and the like are no news.
    onnotice: () => undefined,
    connect_timeout: CONNECT_TIMEOUT_MS / 1000,
    // No look-up of the server's array types at each connection: the casts in our queries name them.
    fetch_types: false,
    connection: { application_name: 'pairmill' },
  });
}

function reason(error: unknown): string {
  // A refused connection to a name with several addresses is an AggregateError without a message of its own.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}

function withoutPassword(url: string): string {
  return url.replace(/(:\/\/[^:@/]*):[^@/]*@/, '$1:…@');
}
