import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { connect, type Database } from '../../src/db/client.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';

/** A temporary folder that is removed at the end of the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** One real server for a test file; `fresh()` gives each test a migrated database of its own. */
export function embeddedDatabases(): { fresh(): Promise<Database>; url(name: string): string } {
  let server: EmbeddedServer;
  let folder: string;
  let count = 0;
  const open: Database[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pairmill-test-'));
    server = await startEmbedded({ folder });
  });
  afterAll(async () => {
    await Promise.all(open.map((sql) => sql.end({ timeout: 1 })));
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const url = (name: string): string => server.url.replace('/postgres?', `/${name}?`);
  return {
    url,
    async fresh() {
      const name = `test_${count++}`;
      const admin = await connect(server.url, { max: 1 });
      await admin.unsafe(`CREATE DATABASE ${name}`);
      await admin.end();
      const sql = await connect(url(name));
      open.push(sql);
      await migrate(sql);
      return sql;
    },
  };
}
