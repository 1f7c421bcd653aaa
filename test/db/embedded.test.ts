import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, readdir, readFile, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect } from '../../src/db/client.ts';
import { startEmbedded } from '../../src/db/embedded.ts';
import { installedPostgres, linkLibraries } from '../../src/db/postgres-package.ts';
import { clusterName, serverProcesses } from '../../src/db/server-processes.ts';
import { temporaryFolder } from './harness.ts';

const root = process.getuid?.() === 0;

const processesOf = (folder: string): Promise<number[]> => serverProcesses(clusterName(join(folder, 'postgres', 'data')));

async function untilNoServer(folder: string, ms: number): Promise<number[]> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) if ((await processesOf(folder)).length === 0) return [];
  return processesOf(folder);
}

/** A process that runs a server, has committed a row (`kept` = 5) and begun another. */
async function startWriter(folder: string): Promise<ChildProcess> {
  const script = `
    import { startEmbedded } from ${JSON.stringify(new URL('../../src/db/embedded.ts', import.meta.url).href)};
    import { connect } from ${JSON.stringify(new URL('../../src/db/client.ts', import.meta.url).href)};
    const sql = await connect((await startEmbedded({ folder: ${JSON.stringify(folder)} })).url);
    await sql\`CREATE TABLE kept (n integer)\`;
    await sql\`INSERT INTO kept VALUES (5)\`;
    sql\`INSERT INTO kept SELECT 6 FROM pg_sleep(60)\`.catch(() => undefined);
    console.log('written');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

/** The backend that is in an INSERT; its title says so from when it has begun. */
async function busyBackend(folder: string): Promise<number> {
  for (;;) {
    for (const pid of await processesOf(folder)) if ((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes('INSERT')) return pid;
    await sleep(20);
  }
}

describe('after a kill', () => {
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

  test.each([
    ['process', 'SIGKILL'],
    ['process', 'SIGHUP'],
    ['group', 'SIGKILL'],
  ] as const)('of our %s by %s, the server ends or is stopped by the next start, and no committed row is lost', async (what, signal) => {
    const folder = await temporaryFolder();
    const child = await startWriter(folder);
    expect((await processesOf(folder)).length).toBeGreaterThan(1);
    process.kill(what === 'group' ? -child.pid! : child.pid!, signal);
    await once(child, 'exit');
    if (what === 'process') expect(await untilNoServer(folder, 5_000), 'the watchdog stops the server').toEqual([]);
    const server = await startEmbedded({ folder });
    expect(server.fresh).toBe(false);
    const sql = await connect(server.url);
    expect(await sql`SELECT n FROM kept`).toEqual([{ n: 5 }]);
    await sql.end();
    await server.stop();
  });

  test.runIf(process.platform === 'linux')(
    'of our process alone, a server that does not listen to a shutdown is gone within 5 s, with its socket',
    async () => {
      const folder = await temporaryFolder();
      const child = await startWriter(folder);
      const { socketFolder } = JSON.parse(await readFile(join(folder, 'postgres', 'server.json'), 'utf8')) as { socketFolder: string };
      // A backend that is stopped ends no transaction, so a fast shutdown waits for it for ever.
      const backend = await busyBackend(folder);
      process.kill(backend, 'SIGSTOP');
      onTestFinished(() => {
        try {
          process.kill(backend, 'SIGKILL');
        } catch {
          // Gone, as it should be.
        }
      });
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect((await untilNoServer(folder, 5_000)).filter((pid) => pid !== backend)).toEqual([]);
      await sleep(500);
      await expect(readdir(socketFolder)).rejects.toThrow(/ENOENT/);
    },
  );

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
    expect((await readdir(join(folder, 'postgres'))).sort()).toEqual(['data', 'server.json', 'server.log']);
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

  test('is fresh at its first start only, and again where its database has gone', async () => {
    const folder = await temporaryFolder();
    const first = await startEmbedded({ folder });
    expect(first.fresh).toBe(true);
    await first.stop();
    const second = await startEmbedded({ folder });
    expect(second.fresh).toBe(false);
    await second.stop();
    await unlink(join(folder, 'postgres', 'data', 'PG_VERSION'));
    const third = await startEmbedded({ folder });
    expect(third.fresh).toBe(true);
    await third.stop();
  });

  test.each(['another major version', 'another account'])('of %s is made anew: it is a cache', async (other) => {
    const folder = await temporaryFolder();
    await (await startEmbedded({ folder })).stop();
    const data = join(folder, 'postgres', 'data');
    if (other === 'another major version') await writeFile(join(data, 'PG_VERSION'), '17\n');
    else if (root) execFileSync('chown', ['-R', 'daemon', data]);
    else return;
    const server = await startEmbedded({ folder });
    expect(server.fresh).toBe(true);
    await server.stop();
  });

  test('tells why PostgreSQL did not start', async () => {
    const folder = await temporaryFolder();
    await (await startEmbedded({ folder })).stop();
    await writeFile(join(folder, 'postgres', 'data', 'postgresql.conf'), 'no_such_setting = 1\n');
    await expect(startEmbedded({ folder })).rejects.toThrow(
      /^PostgreSQL can't be started in .*data: it ended while it started: .*no_such_setting.*remove .*: the run makes its database anew\.$/,
    );
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
    const { serverRoot } = JSON.parse(await readFile(join(folder, 'postgres', 'server.json'), 'utf8')) as { serverRoot: string };
    onTestFinished(() => void execFileSync('rm', ['-rf', serverRoot]));
    expect(serverRoot).toMatch(/^\/var\/tmp\/pairmill-/);
    expect((await stat(join(serverRoot, 'data'))).uid).not.toBe(0);
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
      import { startEmbedded } from ${JSON.stringify(new URL('../../src/db/embedded.ts', import.meta.url).href)};
      await (await startEmbedded({ folder: ${JSON.stringify(join(folder, 'run'))} })).stop();
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
