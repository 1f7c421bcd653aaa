import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, type TestContext } from 'vitest';
import { RunError, UsageError } from '../../src/contracts/errors.ts';
import { connect } from '../../src/db/client.ts';
import { startEmbedded } from '../../src/db/embedded.ts';
import { openDatabase } from '../../src/db/open-database.ts';
import { clusterName, serverProcesses } from '../../src/db/server-processes.ts';
import { temporaryFolder } from './harness.ts';

describe('an abort', () => {
  // Before initdb, in the middle of it, at its end or as the server starts.
  test.each([0, 400, 1_200, 1_800])('%i ms after the start leaves no process, no socket and nothing that looks like a database', async (ms) => {
    const folder = await temporaryFolder();
    const stop = new AbortController();
    const started = startEmbedded({ folder, signal: stop.signal }).then(
      async (server) => server.stop(),
      (error: unknown) => error,
    );
    await sleep(ms);
    stop.abort('SIGINT');
    const start = Date.now();
    const error = await started;
    expect(Date.now() - start).toBeLessThan(5_000);
    if (error !== undefined) expect(error).toEqual(new RunError('Stopped while PostgreSQL started. The same command goes on from here.'));
    const data = join(folder, 'postgres', 'data');
    expect(await serverProcesses(clusterName(data))).toEqual([]);
    expect(spawnSync('ps', ['-axww', '-o', 'command='], { encoding: 'utf8' }).stdout).not.toContain(folder);
    expect((await readdir(join(folder, 'postgres'))).filter((name) => name.startsWith('initdb'))).toEqual([]);
    const record = await readFile(join(folder, 'postgres', 'server.json'), 'utf8').catch(() => '{}');
    const { socketFolder } = JSON.parse(record) as { socketFolder?: string };
    if (socketFolder !== undefined) await expect(readdir(socketFolder)).rejects.toThrow(/ENOENT/);
    await (await startEmbedded({ folder })).stop();
  });

  test('before the start makes no database', async () => {
    const folder = await temporaryFolder();
    await expect(startEmbedded({ folder, signal: AbortSignal.abort() })).rejects.toThrow(/Stopped while PostgreSQL started/);
    await expect(readdir(join(folder, 'postgres', 'data'))).rejects.toThrow(/ENOENT/);
  });
});

describe('a server that is killed from outside', () => {
  test('is told of in plain words, once; one that is stopped is not', async () => {
    const folder = await temporaryFolder();
    const server = await startEmbedded({ folder });
    process.kill(server.pid, 'SIGKILL');
    expect(await server.ended).toBe('PostgreSQL of this run ended (signal 9). Start the same command again: nothing is lost.');
    await server.stop();
    const again = await startEmbedded({ folder });
    let words: string | undefined;
    void again.ended.then((said) => (words = said));
    await again.stop();
    await sleep(100);
    expect(words).toBeUndefined();
  });

  test('is no reason to look at --db for who connects later', async () => {
    const server = await startEmbedded({ folder: await temporaryFolder() });
    await server.stop();
    const error: unknown = await connect(server.url).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RunError);
    expect((error as Error).message).toMatch(/^PostgreSQL of this run can't be reached: .*ENOENT.*\. Start the same command again: nothing is lost\.$/);
  });
});

describe('a file system', () => {
  /** Starts a server in a tmpfs with these options, in a process of its own, and returns the error. */
  async function errorIn(options: string, context: TestContext): Promise<string> {
    const folder = await temporaryFolder();
    const script = `
      import { startEmbedded } from ${JSON.stringify(new URL('../../src/db/embedded.ts', import.meta.url).href)};
      const server = await startEmbedded({ folder: ${JSON.stringify(folder)} }).catch((error) => void console.log(error.name + ': ' + error.message));
      await server?.stop();
      process.exit();`;
    const command = 'mount -t tmpfs -o "$1" none "$2" || exit 77; shift 2; exec "$@"';
    const args = ['-m', 'sh', '-c', command, 'sh', options, folder, process.execPath, '--input-type=module-typescript', '-e', script];
    const { status, stdout, stderr } = spawnSync('unshare', process.getuid?.() === 0 ? args : ['-r', ...args], { encoding: 'utf8' });
    if (status === 77 || stderr.startsWith('unshare:')) return context.skip('no mounts in a namespace here');
    return stdout.trim().replaceAll(folder, 'RUN');
  }

  test.for(['size=4m', 'size=30m'])('that is full is named with the next step: %s', async (options, context) => {
    expect(await errorIn(options, context)).toMatch(
      /^RunError: PostgreSQL can't be started in RUN\/\S+: the disk is full\. Make room there, then start the same command again\.$/,
    );
  });

  test('that is read-only is named with the next step', async (context) => {
    expect(await errorIn('ro', context)).toMatch(
      /^RunError: PostgreSQL can't be started in RUN\S*: it lies on a read-only file system\. Give a --run-dir that can be written/,
    );
  });
});

describe('openDatabase', () => {
  test('is fresh where its tables were made: the first time, and where they were of another version', async () => {
    const folder = await temporaryFolder();
    const first = await openDatabase(undefined, folder);
    expect(first.fresh).toBe(true);
    const sql = await connect(first.url);
    expect((await openDatabase(first.url, folder)).fresh).toBe(false);
    await sql`UPDATE pairmill.migrations SET sha256 = 'other'`;
    await expect(openDatabase(first.url, folder)).rejects.toThrow(/made with another 0+1\.sql/);
    await sql.end();
    await first.close();
    const second = await openDatabase(undefined, folder);
    expect(second.fresh).toBe(true);
    await second.close();
    const third = await openDatabase(undefined, folder);
    expect(third.fresh).toBe(false);
    await third.close();
  });

  test('of a server that is given names what its user may not do', async () => {
    const folder = await temporaryFolder();
    const server = await startEmbedded({ folder });
    const sql = await connect(server.url, { max: 1 });
    await sql`CREATE ROLE reader LOGIN`;
    await sql.end();
    const error: unknown = await openDatabase(server.url.replace('postgres@', 'reader@'), folder).catch((reason: unknown) => reason);
    expect(error).toEqual(new UsageError("The database can't be prepared: permission denied for database postgres. Check --db and the rights of its user."));
    await server.stop();
  });

  test('of a server that is given ends with the signal while another process migrates it', async () => {
    const folder = await temporaryFolder();
    const server = await startEmbedded({ folder });
    const other = await connect(server.url, { max: 1 });
    await other`SELECT pg_advisory_lock(5850000000)`;
    const stop = new AbortController();
    const opened = openDatabase(server.url, folder, stop.signal).catch((error: unknown) => error);
    await sleep(300);
    stop.abort('SIGTERM');
    const start = Date.now();
    expect(await opened).toEqual(new RunError('Stopped while the database was opened. The same command goes on from here.'));
    expect(Date.now() - start).toBeLessThan(2_000);
    await other.end();
    await server.stop();
  });
});
