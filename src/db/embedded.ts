import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RunError } from '../contracts/errors.ts';
import { makeDataFolder } from './data-folder.ts';
import { type PostgresPrograms, programEnvironment } from './postgres-package.ts';
import { asAccount, chooseAccount, type ServerAccount } from './server-account.ts';
import { serverPlace, serverPrograms, socketFolder } from './server-place.ts';
import { clusterName, stopOrphan } from './server-processes.ts';
import { writeServerRecord } from './server-record.ts';
import { serverSettings } from './server-settings.ts';

const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 30_000;

export interface EmbeddedServer {
  /** For `connect`: `postgres://postgres@/postgres?host=/tmp/pairmill-…`. */
  readonly url: string;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** Ends the server (fast shutdown: open transactions are rolled back) and removes its socket. Idempotent. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** The run folder; the database lies in its `postgres/`. */
  readonly folder: string;
  /** False: as root, do without a user namespace and run as `nobody`. */
  readonly allowNamespace?: boolean;
}

/**
 * Starts the run folder's own PostgreSQL (0.2 s; 1 s the first time), first stopping what a killed run left of it.
 * The caller holds the run folder's lock: a server that runs is taken for an orphan.
 *
 * The server is in our process group, so kill -9 of the group ends it too; PostgreSQL recovers at the next start.
 * When only our process is killed, a watchdog outside the group shuts the server down.
 *
 * Throws RunError: no binaries for this platform, no account to run as, a full disk, another user's folder.
 */
export async function startEmbedded({ folder, allowNamespace = true }: EmbeddedOptions): Promise<EmbeddedServer> {
  await mkdir(join(folder, 'postgres'), { recursive: true });
  const home = await realpath(join(folder, 'postgres'));
  const account = await chooseAccount(allowNamespace);
  const record = await serverPlace(home, account);
  await stopOrphan(join(record.place, 'data'));
  if (record.socketFolder) await rm(record.socketFolder, { recursive: true, force: true });
  const programs = await serverPrograms(record.place, account);
  const data = await makeDataFolder(record.place, programs, account);
  const socket = await socketFolder(account);
  await writeServerRecord(home, { ...record, initialised: true, socketFolder: socket });

  const log = join(home, 'server.log');
  const server = await spawnServer({ data, socket, log, programs, account });
  const watchdog = startWatchdog(server.pid!, clusterName(data));
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  // Its process id is free from here on; a watchdog would shoot at a stranger.
  void ended.then(() => watchdog.kill('SIGKILL'));
  try {
    await untilReady(server, data, log);
  } catch (error) {
    server.kill('SIGKILL');
    await rm(socket, { recursive: true, force: true });
    throw error;
  }
  // An idle server keeps no process alive: a run that forgets to stop it still ends, and the watchdog stops it.
  server.unref();
  return {
    url: `postgres://postgres@/postgres?host=${encodeURIComponent(socket)}`,
    pid: server.pid!,
    async stop() {
      server.ref();
      if (server.exitCode === null && server.signalCode === null) {
        server.kill('SIGINT');
        const timer = setTimeout(() => server.kill('SIGQUIT'), STOP_TIMEOUT_MS);
        await ended;
        clearTimeout(timer);
      }
      await rm(socket, { recursive: true, force: true });
    },
  };
}

interface ServerStart {
  data: string;
  socket: string;
  log: string;
  programs: PostgresPrograms;
  account: ServerAccount;
}

async function spawnServer({ data, socket, log, programs, account }: ServerStart): Promise<ChildProcess> {
  const settings = { ...serverSettings, unix_socket_directories: socket, cluster_name: clusterName(data) };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const { file, args, ...ids } = asAccount(account, join(programs.root, 'bin', 'postgres'), ['-D', data, ...flags]);
  const output = await open(log, 'w');
  try {
    const server = spawn(file, args, { ...ids, cwd: '/', env: programEnvironment(programs), stdio: ['ignore', output.fd, output.fd] });
    await new Promise<void>((resolve, reject) => {
      server.once('spawn', resolve);
      server.once('error', (cause) => reject(new RunError(`PostgreSQL could not be started: ${cause.message}`, { cause })));
    });
    return server;
  } finally {
    await output.close();
  }
}

/**
 * A shell in a session of its own that reads from a pipe which only we hold open: when we are gone, however that
 * came about, it reads the end and asks the server to shut down.
 */
function startWatchdog(pid: number, name: string): ChildProcess {
  const script = 'read -r _; [ ! -e /proc/self ] || grep -qs "$2" "/proc/$1/cmdline" && kill -INT "$1"';
  const watchdog = spawn('/bin/sh', ['-c', script, 'pairmill-watchdog', String(pid), name], { detached: true, cwd: '/', stdio: ['pipe', 'ignore', 'ignore'] });
  // Without a shell there is no watchdog; the next start still finds the orphan.
  watchdog.on('error', () => undefined);
  watchdog.stdin.on('error', () => undefined);
  watchdog.unref();
  (watchdog.stdin as unknown as { unref?: () => void }).unref?.();
  return watchdog;
}

/** Waits for line 8 of postmaster.pid, as pg_ctl does. Recovery after kill -9 comes before it. */
async function untilReady(server: ChildProcess, data: string, log: string): Promise<void> {
  const end = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return;
    const over = server.exitCode !== null || server.signalCode !== null;
    if (over || Date.now() > end) {
      throw new RunError(
        `PostgreSQL ${over ? 'ended while it started' : `was not ready after ${START_TIMEOUT_MS / 1000} s`}: ${await lastWords(log)} (all of it in ${log})`,
      );
    }
    await sleep(10);
  }
}

async function lastWords(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n');
  return (
    lines
      .slice(-3)
      .join(' ')
      .replaceAll(/\d{4}-\d\d-\d\d [\d:.]+ UTC \[\d+\] /g, '') || 'it said nothing'
  );
}
