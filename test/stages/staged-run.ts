import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BatchLink, type Link, setOfLanguage } from '../../src/contracts/records.ts';
import { shardName } from '../../src/contracts/sample-key.ts';
import { draw } from '../../src/stages/draw/draw.ts';
import { ingest } from '../../src/stages/ingest/ingest.ts';
import type { embeddedDatabases } from '../db/harness.ts';
import { temporaryFolder } from '../db/harness.ts';
import { linkFile } from '../db/links.ts';
import { allRows, runOneStage, type StageRun, type StageRunSettings } from './run-one-stage.ts';

/** A run that begins with links/, and a database for it. */
export interface StagedRun {
  folder: string;
  /** Of an empty database; changed where the run gets another one. */
  database: string;
  /** Another empty database. */
  another(): Promise<string>;
  /** Writes a shard of links in its sets. */
  links(shard: number, rows: readonly Link[]): Promise<void>;
  ingest(settings?: StageRunSettings): Promise<StageRun>;
  draw(size: number, settings?: StageRunSettings): Promise<StageRun>;
  /** All drawn links, in the order of their batches. */
  drawn(): Promise<(BatchLink & Record<string, unknown>)[]>;
}

export async function stagedRun(databases: ReturnType<typeof embeddedDatabases>): Promise<StagedRun> {
  const folder = await temporaryFolder();
  const another = async (): Promise<string> => {
    const [{ name }] = (await (await databases.fresh())<{ name: string }[]>`SELECT current_database() AS name`) as unknown as [{ name: string }];
    return databases.url(name);
  };
  const run: StagedRun = {
    folder,
    database: await another(),
    another,
    async links(shard, rows) {
      for (const set of ['en', 'multi', 'nolang'] as const) {
        const path = join(folder, 'links', set, `${shardName(shard)}.parquet`);
        await rm(path, { force: true });
        await linkFile(
          path,
          rows.filter(({ language }) => setOfLanguage(language) === set),
        );
      }
    },
    ingest: (settings) => runOneStage(ingest, folder, {}, { database: run.database, ...settings }),
    draw: (size, settings) => runOneStage(draw, folder, { numberSamplePerShard: size }, { database: run.database, ...settings }),
    drawn: () => allRows(join(folder, 'batches')),
  };
  return run;
}
