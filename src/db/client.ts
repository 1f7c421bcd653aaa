import postgres from 'postgres';
import { messageOf, UsageError } from '../contracts/errors.ts';

/** A pool of connections; a tagged template runs a query. int8 comes and goes as BigInt: a hash is never a number. */
export type Database = postgres.Sql<{ bigint: bigint }>;

const CONNECT_TIMEOUT_MS = 20_000;

export interface ConnectOptions {
  /** Connections at most. */
  readonly max?: number;
}

/**
 * Connects to a server by URL: `postgres://user:password@host:port/database`, or over a Unix socket
 * `postgres://user@/database?host=/folder`. Nothing of the PG… environment is used that the URL states.
 * Throws UsageError where the server can't be reached or refuses us. The caller ends it with `await sql.end()`.
 */
export async function connect(url: string, { max = 4 }: ConnectOptions = {}): Promise<Database> {
  const sql = open(url, max);
  try {
    await withinTime(sql`SELECT 1`);
    return sql;
  } catch (cause) {
    await sql.end({ timeout: 1 });
    throw new UsageError(`The database ${withoutPassword(url)} can't be used: ${reason(cause)}. Check --db, and that the server runs.`, { cause });
  }
}

/** The driver's own limit ends with the TCP connection: a peer that accepts and is silent would hold us for ever. */
async function withinTime(query: PromiseLike<unknown>): Promise<void> {
  let timer;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${CONNECT_TIMEOUT_MS / 1000} s`)), CONNECT_TIMEOUT_MS + 1000);
  });
  try {
    await Promise.race([query, late]);
  } finally {
    clearTimeout(timer);
  }
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
