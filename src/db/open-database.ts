import { connect } from './client.ts';
import { startEmbedded } from './embedded.ts';
import { migrate } from './migrate.ts';

/** A migrated database that is ready for `connect(url)`, from any thread. */
export interface OpenDatabase {
  readonly url: string;
  /** Stops the server where it is the run folder's own. */
  close(): Promise<void>;
}

/** The server at `url` where one is given, else the run folder's own PostgreSQL. Throws UsageError or RunError. */
export async function openDatabase(url: string | undefined, runFolder: string): Promise<OpenDatabase> {
  const server = url === undefined ? await startEmbedded({ folder: runFolder }) : undefined;
  const address = url ?? server!.url;
  try {
    const sql = await connect(address, { max: 1 });
    try {
      await migrate(sql);
    } finally {
      await sql.end();
    }
  } catch (error) {
    await server?.stop();
    throw error;
  }
  return { url: address, close: async () => server?.stop() };
}
