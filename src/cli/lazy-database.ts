import { type OpenDatabase, openDatabase } from '../db/open-database.ts';
import { localHome } from '../runtime/local-home.ts';
import type { CommandIo } from './command.ts';
import type { Session } from './session.ts';

export interface LazyDatabase {
  open(): Promise<OpenDatabase>;
  close(): Promise<void>;
}

/**
 * The database is started when the first shard asks for it: a run that only reads shards needs none. `lost` is called with words when
 * the run's own server ended although nobody stopped it.
 */
export function lazyDatabase({ run, location }: Session, io: CommandIo, lost: (words: string) => void): LazyDatabase {
  let opened: Promise<OpenDatabase> | undefined;
  // An embedded server needs a local folder; it holds nothing that can't be rebuilt.
  const openIt = async (): Promise<OpenDatabase> => {
    const database = await openDatabase(run.db === 'embedded' ? undefined : run.db, await localHome(location), io.signal);
    void database.ended.then(lost);
    return database;
  };
  return {
    open: () => (opened ??= openIt()),
    close: async () => {
      const database = await opened?.catch(() => undefined);
      await database?.close();
    },
  };
}
