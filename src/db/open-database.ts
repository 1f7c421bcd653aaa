import { RunError, ShardError, UsageError } from '../contracts/errors.ts';
import { connect, type Database } from './client.ts';
import { databaseError } from './database-error.ts';
import { startEmbedded } from './embedded.ts';
import { migrate } from './migrate.ts';

/** A migrated database that is ready for `connect(url)`, from any thread. */
export interface OpenDatabase {
  readonly url: string;
  /** True where its tables were made at this start: they are empty. */
  readonly fresh: boolean;
  /** Resolves with words for the user when the run's own server ends although nobody closed it; otherwise never. */
  readonly ended: Promise<string>;
  /** Stops the server where it is the run's own. */
  close(): Promise<void>;
}

/**
 * The server at `url` where one is given, else PostgreSQL in `folder`, a local one. Throws UsageError or RunError; an abort
 * of the signal ends the start (RunError) and makes `close` hurry.
 */
export async function openDatabase(url: string | undefined, folder: string, signal?: AbortSignal): Promise<OpenDatabase> {
  if (url !== undefined) {
    const fresh = await prepare(url, { own: false, signal });
    return { url, fresh, ended: new Promise<string>(() => undefined), close: async () => undefined };
  }
  const server = await startEmbedded({ folder, signal });
  try {
    const ended = server.ended.then((words): never => {
      throw new RunError(words);
    });
    const fresh = await Promise.race([prepare(server.url, { own: true, signal }), ended]);
    return { url: server.url, fresh, ended: server.ended, close: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Our own server holds nothing else: tables of another version of ours are dropped, and filled again from the files. */
async function migrateCache(sql: Database): Promise<void> {
  try {
    await migrate(sql);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await sql`DROP SCHEMA pairmill CASCADE`;
    await migrate(sql);
  }
}

/** Brings the tables to this version; true where there were none before. */
async function prepare(url: string, { own, signal }: { own: boolean; signal: AbortSignal | undefined }): Promise<boolean> {
  const sql = await connect(url, { max: 1, signal });
  let stop = (): void => undefined;
  // Another process that migrates makes us wait, and the driver's reserved connection may wait for ever once it is ended.
  const stopped = new Promise<never>((_resolve, reject) => {
    stop = () => reject(new RunError('Stopped while the database was opened. The same command goes on from here.'));
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
  stopped.catch(() => undefined);
  try {
    const before = await tablesOf(sql);
    await Promise.race([own ? migrateCache(sql) : migrate(sql), stopped]);
    return before === null || before !== (await tablesOf(sql));
  } catch (error) {
    const known = databaseError("The database can't be prepared", error);
    // A given server that refuses has other rights than we need, or another version.
    throw known instanceof ShardError ? new UsageError(`${known.message}. Check --db and the rights of its user.`, { cause: error }) : known;
  } finally {
    signal?.removeEventListener('abort', stop);
    await sql.end({ timeout: signal?.aborted ? 0 : 1 });
  }
}

/** Changes when the tables are made anew. */
async function tablesOf(sql: Database): Promise<number | null> {
  const [row] = await sql<{ oid: number | null }[]>`SELECT to_regclass('pairmill.migrations')::oid AS oid`;
  return row!.oid;
}
