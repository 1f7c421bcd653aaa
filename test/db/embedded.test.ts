import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, readFile, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/db/client.ts';
import { copyLinks } from '../../src/db/copy-links.ts';
import { drawBatch } from '../../src/db/draw-batch.ts';
import { startEmbedded } from '../../src/db/embedded.ts';
import { openDatabase } from '../../src/db/open-database.ts';
import { openBatches } from '../../src/db/open-batches.ts';
import { installedPostgres, linkLibraries } from '../../src/db/postgres-package.ts';
import { readBatch } from '../../src/db/read-batch.ts';
import { clusterName, serverProcesses } from '../../src/db/server-processes.ts';
import { stagingSize } from '../../src/db/staging-size.ts';
import { temporaryFolder } from './harness.ts';
import { makeLinks } from './links.ts';

const root = process.getuid?.() === 0;

async function killAll(folder: string): Promise<void> {
  const name = clusterName(join(folder, 'postgres', 'data'));
  for (const pid of await serverProcesses(name)) process.kill(pid, 'SIGKILL');
}

async function untilNoServer(folder: string, ms: number): Promise<number[]> {
  const name = clusterName(join(folder, 'postgres', 'data'));
  for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) if ((await serverProcesses(name)).length === 0) return [];
  return serverProcesses(name);
}

describe('after kill -9', () => {
  test('of the server inside COPY nothing of the shard is there; committed shards and leases are', async () => {
    const folder = await temporaryFolder();
    let database = await openDatabase(undefined, folder);
    let sql = await connect(database.url);
    await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: makeLinks(3_000) });
    const batch = await drawBatch(sql, { size: 1_000 });
    const leased = await readBatch(sql, batch!.shard);
    async function* rows(): AsyncGenerator<ReturnType<typeof makeLinks>[number]> {
      yield* makeLinks(20_000, 3_000);
      await killAll(folder);
      yield* makeLinks(20_000, 23_000);
    }
    await expect(copyLinks(sql, { shard: '1', fingerprint: 'f', rows: rows() })).rejects.toThrow(/links 1 can't be brought/);
    await sql.end({ timeout: 1 });

    database = await openDatabase(undefined, folder);
    sql = await connect(database.url);
    expect(await stagingSize(sql)).toBe(3_000 - batch!.rows);
    expect((await sql`SELECT count(*) AS n FROM pairmill.hashes`)[0]!['n']).toBe(3_000n);
    expect(await openBatches(sql)).toEqual([batch]);
    expect(await readBatch(sql, batch!.shard)).toEqual(leased);
    expect((await copyLinks(sql, { shard: '1', fingerprint: 'f', rows: makeLinks(40_000, 3_000) })).duplicates).toEqual([]);
    await sql.end();
    await database.close();
  });

  test.each(['ingest.leased', 'ingest.committing'])(
    'of everything at %s, the shard is in whole or not at all, and the next ingest ends the same',
    async (point) => {
      const folder = await temporaryFolder();
      const module = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
      const script = `
      import { openDatabase } from ${module('../../src/db/open-database.ts')};
      import { connect } from ${module('../../src/db/client.ts')};
      import { copyLinks } from ${module('../../src/db/copy-links.ts')};
      import { makeLinks } from ${module('./links.ts')};
      const sql = await connect((await openDatabase(undefined, ${JSON.stringify(folder)})).url);
      const links = makeLinks(2000);
      await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: [...links, links[7]], reached: (point) => {
        if (point === ${JSON.stringify(point)}) { process.kill(0, 'SIGKILL'); for (;;); }
      } });`;
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
      const database = await openDatabase(undefined, folder);
      const sql = await connect(database.url);
      const size = await stagingSize(sql);
      expect(point === 'ingest.leased' ? [0] : [0, 2_000]).toContain(size);
      expect((await sql`SELECT count(*) AS n FROM pairmill.links`)[0]!['n']).toBe(BigInt(size));
      const links = makeLinks(2_000);
      expect(await copyLinks(sql, { shard: '0', fingerprint: 'f', rows: [...links, links[7]!] })).toEqual({
        rows: 2_001,
        duplicates: [2_000],
        already: size > 0,
      });
      expect(await stagingSize(sql)).toBe(2_000);
      await sql.end();
      await database.close();
    },
  );

  test('of the postmaster alone, its backends are found and the server starts again', async () => {
    const folder = await temporaryFolder();
    const first = await startEmbedded({ folder });
    const sql = await connect(first.url);
    // A backend that is busy sees the death of its postmaster late.
    const busy = sql`SELECT pg_sleep(30)`.then(
      () => 'ended',
      () => 'failed',
    );
    await sleep(200);
    process.kill(first.pid, 'SIGKILL');
    const second = await startEmbedded({ folder });
    expect(second.pid).not.toBe(first.pid);
    expect(await busy).toBe('failed');
    await sql.end({ timeout: 1 });
    await second.stop();
    expect(await untilNoServer(folder, 5_000)).toEqual([]);
  });

  test.each(['process', 'group'] as const)('of our %s, the server ends or is stopped by the next start, and no committed row is lost', async (what) => {
    const folder = await temporaryFolder();
    const script = `
      import { openDatabase } from ${JSON.stringify(new URL('../../src/db/open-database.ts', import.meta.url).href)};
      import { connect } from ${JSON.stringify(new URL('../../src/db/client.ts', import.meta.url).href)};
      const { url } = await openDatabase(undefined, ${JSON.stringify(folder)});
      const sql = await connect(url);
      await sql\`UPDATE pairmill.staging SET live = 5\`;
      console.log('written');
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const orphans = await serverProcesses(clusterName(join(folder, 'postgres', 'data')));
    expect(orphans.length).toBeGreaterThan(1);
    process.kill(what === 'group' ? -child.pid! : child.pid!, 'SIGKILL');
    await once(child, 'exit');
    if (what === 'process') expect(await untilNoServer(folder, 10_000), 'the watchdog stops the server').toEqual([]);
    const database = await openDatabase(undefined, folder);
    const sql = await connect(database.url);
    expect(await stagingSize(sql)).toBe(5);
    await sql.end();
    await database.close();
  });

  test("a lock file that names another program's process does not stand in the way, nor is that program harmed", async () => {
    const folder = await temporaryFolder();
    const server = await startEmbedded({ folder });
    await server.stop();
    const stranger = spawn('sleep', ['60']);
    onTestFinished(() => void stranger.kill('SIGKILL'));
    await writeFile(join(folder, 'postgres', 'data', 'postmaster.pid'), `${stranger.pid}\n${folder}/postgres/data\n1\n5432\n/tmp\n\n 1 1\nready\n`, {
      mode: 0o600,
    });
    const again = await startEmbedded({ folder });
    expect(stranger.exitCode).toBeNull();
    await again.stop();
  });

  test('in the middle of initdb, the next start makes a whole database', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'postgres', 'initdb', 'data', 'base'), { recursive: true });
    const server = await startEmbedded({ folder });
    await server.stop();
    await expect(stat(join(folder, 'postgres', 'initdb'))).rejects.toThrow(/ENOENT/);
  });
});

describe('the server', () => {
  test('listens on a private socket in a short path only, which its end removes', async () => {
    const folder = join(await temporaryFolder(), 'a-long-name-'.repeat(15));
    const server = await startEmbedded({ folder });
    const socket = new URL(server.url.replace('@/', '@localhost/')).searchParams.get('host')!;
    expect(socket.length).toBeLessThan(60);
    expect((await stat(socket)).mode & 0o777).toBe(0o700);
    const sql = await connect(server.url);
    expect((await sql`SHOW listen_addresses`)[0]).toEqual({ listen_addresses: '' });
    expect((await sql`SHOW fsync`)[0]).toEqual({ fsync: 'on' });
    await sql.end();
    await Promise.all([server.stop(), server.stop()]);
    await expect(stat(socket)).rejects.toThrow(/ENOENT/);
  });

  test('says so where its database has gone', async () => {
    const folder = await temporaryFolder();
    await (await startEmbedded({ folder })).stop();
    await unlink(join(folder, 'postgres', 'data', 'PG_VERSION'));
    await expect(startEmbedded({ folder })).rejects.toThrow(/database of this run was in .* and is gone/);
  });

  test('tells why PostgreSQL did not start', async () => {
    const folder = await temporaryFolder();
    await (await startEmbedded({ folder })).stop();
    await writeFile(join(folder, 'postgres', 'data', 'postgresql.conf'), 'no_such_setting = 1\n');
    await expect(startEmbedded({ folder })).rejects.toThrow(/ended while it started: .*no_such_setting/);
  });
});

describe('as root', () => {
  test.runIf(root)('works in a 0700 folder with the files remaining ours', async () => {
    const home = await temporaryFolder();
    await chmod(home, 0o700);
    const server = await startEmbedded({ folder: join(home, 'run') });
    expect((await stat(join(home, 'run', 'postgres', 'data'))).uid).toBe(0);
    await server.stop();
  });

  test.runIf(root)('without user namespaces runs as nobody, from /var/tmp where the run folder is closed to it', async () => {
    const home = await temporaryFolder();
    await chmod(home, 0o700);
    const folder = join(home, 'run');
    const server = await startEmbedded({ folder, allowNamespace: false });
    const { place } = JSON.parse(await readFile(join(folder, 'postgres', 'server.json'), 'utf8')) as { place: string };
    onTestFinished(() => void execFileSync('rm', ['-rf', place]));
    expect(place).toMatch(/^\/var\/tmp\/pairmill-/);
    expect((await stat(join(place, 'data'))).uid).not.toBe(0);
    expect(execFileSync('stat', ['-c', '%U', `/proc/${server.pid}`], { encoding: 'utf8' }).trim()).toBe('nobody');
    const sql = await connect(server.url);
    await sql`CREATE TABLE kept (n integer)`;
    await sql.end();
    // An orphan of another user's is found as well, and the second start uses the same place.
    const again = await startEmbedded({ folder, allowNamespace: false });
    const after = await connect(again.url);
    expect(await after`SELECT * FROM kept`).toHaveLength(0);
    await after.end();
    await again.stop();
  });

  test('an ordinary user runs it as himself', async (context) => {
    if (!root) return context.skip('we are an ordinary user: every other test shows it');
    try {
      execFileSync('runuser', ['-u', 'nobody', '--', process.execPath, '--version'], { stdio: 'ignore', cwd: '/' });
    } catch {
      return context.skip('no runuser, or this folder is closed to other users');
    }
    const folder = await temporaryFolder();
    await chmod(folder, 0o777);
    const script = `
      import { openDatabase } from ${JSON.stringify(new URL('../../src/db/open-database.ts', import.meta.url).href)};
      const database = await openDatabase(undefined, ${JSON.stringify(join(folder, 'run'))});
      await database.close();
      console.log('fine');`;
    const output = execFileSync('runuser', ['-u', 'nobody', '--', process.execPath, '--input-type=module-typescript', '-e', script], {
      encoding: 'utf8',
      cwd: '/',
    });
    expect(output).toBe('fine\n');
  });
});

describe('linkLibraries', () => {
  /** The package as npm 12 leaves it in a dependent project: its install script has not run, so no link is there. */
  async function unlinkedPackage(): Promise<string> {
    const folder = await temporaryFolder();
    const native = join(folder, 'native');
    const installed = installedPostgres();
    await cp(join(dirname(installed), 'package.json'), join(folder, 'package.json'));
    await mkdir(native);
    for (const part of ['bin', 'share']) await symlink(join(installed, part), join(native, part));
    await cp(join(installed, 'lib'), join(native, 'lib'), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.includes('postgresql') && !path.endsWith('.a'),
    });
    await cp(join(installed, 'pg-symlinks.json'), join(native, 'pg-symlinks.json'));
    for (const { target } of JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as { target: string }[])
      await unlink(join(folder, target)).catch(() => undefined);
    return native;
  }

  test('makes missing links in a package of our own', async () => {
    const native = await unlinkedPackage();
    await expect(stat(join(native, 'lib', 'libpq.so.5'))).rejects.toThrow(/ENOENT/);
    expect(await linkLibraries(native, join(native, 'elsewhere'))).toEqual({ root: native });
    expect((await stat(join(native, 'lib', 'libpq.so.5'))).isFile()).toBe(true);
  });

  test('makes them in a folder beside where the package is not ours to change', async () => {
    const native = await unlinkedPackage();
    await chmod(join(native, 'lib'), 0o555);
    // Root may write anywhere, so for root the package belongs to someone else.
    if (root) execFileSync('chown', ['nobody', join(native, 'lib')]);
    const elsewhere = join(await temporaryFolder(), 'lib');
    expect(await linkLibraries(native, elsewhere)).toEqual({ root: native, libraryPath: `${elsewhere}:${join(native, 'lib')}` });
    expect((await stat(join(elsewhere, 'libpq.so.5'))).isFile()).toBe(true);
    const output = execFileSync(join(installedPostgres(), 'bin', 'initdb'), ['--version'], {
      encoding: 'utf8',
      env: { LD_LIBRARY_PATH: `${elsewhere}:${join(native, 'lib')}` },
    });
    expect(output).toMatch(/PostgreSQL\) 18/);
    // An ordinary user could not remove it otherwise.
    if (!root) await chmod(join(native, 'lib'), 0o755);
  });
});
