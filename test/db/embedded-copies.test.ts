import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/db/client.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/db/embedded.ts';
import { temporaryFolder } from './harness.ts';

const root = process.getuid?.() === 0;

async function start(folder: string, allowNamespace = true): Promise<EmbeddedServer> {
  const server = await startEmbedded({ folder, allowNamespace });
  onTestFinished(() => server.stop());
  return server;
}

async function query(server: EmbeddedServer, text: string): Promise<unknown[]> {
  const sql = await connect(server.url, { max: 1 });
  try {
    return [...(await sql.unsafe(text))];
  } finally {
    await sql.end();
  }
}

async function serverRootOf(folder: string): Promise<string> {
  const { serverRoot } = JSON.parse(await readFile(join(folder, 'postgres', 'server.json'), 'utf8')) as { serverRoot: string };
  if (serverRoot.startsWith('/var/tmp/pairmill-')) onTestFinished(() => rm(serverRoot, { recursive: true, force: true }));
  return serverRoot;
}

test('a copy that is started while the original runs gets a database of its own and leaves the original alone', async () => {
  const base = await temporaryFolder();
  const original = await start(join(base, 'run'));
  await query(original, 'CREATE TABLE kept AS SELECT 5 AS n');
  // What cp says of files that vanish while it copies is no matter here.
  execFileSync('sh', ['-c', 'cp -a run copy 2>/dev/null || true'], { cwd: base });
  const copy = await start(join(base, 'copy'));
  expect(copy.fresh).toBe(true);
  expect(await query(copy, "SELECT to_regclass('kept') AS kept")).toEqual([{ kept: null }]);
  await query(copy, 'CREATE TABLE kept AS SELECT 7 AS n');
  expect(await query(original, 'SELECT n FROM kept')).toEqual([{ n: 5 }]);
  await copy.stop();
  await original.stop();
  expect((await start(join(base, 'run'))).fresh).toBe(false);
});

test.runIf(root)('a copy does not take up the place under /var/tmp that its original works in', async () => {
  const base = await temporaryFolder();
  const original = await start(join(base, 'run'), false);
  const serverRoot = await serverRootOf(join(base, 'run'));
  expect(serverRoot).toMatch(/^\/var\/tmp\/pairmill-/);
  await query(original, 'CREATE TABLE kept AS SELECT 5 AS n');
  await cp(join(base, 'run'), join(base, 'copy'), { recursive: true });
  const copy = await start(join(base, 'copy'), false);
  expect(copy.fresh).toBe(true);
  expect(await serverRootOf(join(base, 'copy'))).not.toBe(serverRoot);
  expect(await query(original, 'SELECT n FROM kept')).toEqual([{ n: 5 }]);
});

test('a moved folder makes its database anew', async () => {
  const base = await temporaryFolder();
  await (await start(join(base, 'run'))).stop();
  await rename(join(base, 'run'), join(base, 'moved'));
  expect((await start(join(base, 'moved'))).fresh).toBe(true);
});

test('another folder that took the place of the first has none of its database', async () => {
  const base = await temporaryFolder();
  const first = await start(join(base, 'run'));
  await query(first, 'CREATE TABLE kept AS SELECT 5 AS n');
  await first.stop();
  await cp(join(base, 'run'), join(base, 'copy'), { recursive: true });
  await rename(join(base, 'run'), join(base, 'former'));
  await rename(join(base, 'copy'), join(base, 'run'));
  expect((await start(join(base, 'run'))).fresh).toBe(true);
});

test.runIf(root)('a place that is gone is made anew', async () => {
  const base = await temporaryFolder();
  await (await start(join(base, 'run'), false)).stop();
  const serverRoot = await serverRootOf(join(base, 'run'));
  await rm(serverRoot, { recursive: true });
  expect((await start(join(base, 'run'), false)).fresh).toBe(true);
  expect(await serverRootOf(join(base, 'run'))).not.toBe(serverRoot);
});

test('the record of an earlier version is none', async () => {
  const base = await temporaryFolder();
  const other = join(base, 'other');
  await (await start(other)).stop();
  await mkdir(join(base, 'run', 'postgres', 'data'), { recursive: true });
  await writeFile(join(base, 'run', 'postgres', 'server.json'), JSON.stringify({ place: join(other, 'postgres'), initialised: true, socketFolder: other }));
  expect((await start(join(base, 'run'))).fresh).toBe(true);
  expect((await start(other)).fresh).toBe(false);
});

test('a postgres/ that links to that of another run is refused by name', async () => {
  const base = await temporaryFolder();
  const first = await start(join(base, 'run'));
  await query(first, 'CREATE TABLE kept AS SELECT 5 AS n');
  await mkdir(join(base, 'copy'));
  await symlink(join(base, 'run', 'postgres'), join(base, 'copy', 'postgres'));
  await expect(startEmbedded({ folder: join(base, 'copy') })).rejects.toThrow(
    /copy\/postgres is a link to .*run\/postgres, which holds the database of another run\. .*remove the link/,
  );
  expect(await query(first, 'SELECT n FROM kept')).toEqual([{ n: 5 }]);
});

test("a postgres/ that is not Pairmill's is not touched", async () => {
  const base = await temporaryFolder();
  await mkdir(join(base, 'postgres', 'data'), { recursive: true });
  await writeFile(join(base, 'postgres', 'data', 'PG_VERSION'), '15\n');
  await expect(startEmbedded({ folder: base })).rejects.toThrow(/holds files that are not of this run's PostgreSQL\. Give another --run-dir/);
  expect(await readdir(join(base, 'postgres', 'data'))).toEqual(['PG_VERSION']);
});
