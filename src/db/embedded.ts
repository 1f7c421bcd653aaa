import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeDataFolder } from './data-folder.ts';
import { type PostgresPrograms, programEnvironment } from './postgres-package.ts';
import { asAccount, chooseAccount, type ServerAccount } from './server-account.ts';
import { serverError, startStopped } from './server-error.ts';
import { chooseServerRoot, socketFolder } from './server-root.ts';
import { clusterName, isRecovering, stopOrphan, untilGone } from './server-processes.ts';
import { serverPrograms } from './server-programs.ts';
import { openServerHome, writeServerRecord } from './server-record.ts';
import { serverSettings } from './server-settings.ts';
import { startWatchdog } from './server-watchdog.ts';

const START_TIMEOUT_MS = 180_000;
/** A clean end keeps the cache; one that is cut off empties it. A run that was stopped by a signal has 5 s for all. */
const STOP_TIMEOUT_MS = 30_000;
const HURRIED_STOP_TIMEOUT_MS = 3_000;

export interface EmbeddedServer {
  /** For `connect`: `postgres://postgres@/postgres?host=/tmp/pairmill-…`. */
  readonly url: string;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** True where the data folder was made at this start: the database is empty. */
  readonly fresh: boolean;
  /** Resolves with words for the user when the server ends although nobody stopped it; otherwise never. */
  readonly ended: Promise<string>;
  /** Ends the server (fast shutdown: open transactions are rolled back) and removes its socket. Idempotent. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** A local folder, the run's where that is local; the database lies in its `postgres/`. */
  readonly folder: string;
  /** False: as root, do without a user namespace and run as `nobody`. */
  readonly allowNamespace?: boolean;
  /** Its abort ends a start that is under way, and makes `stop` hurry. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts the folder's own PostgreSQL (0.2 s; 2 s the first time), first stopping what a killed run left of it.
 * The caller holds the folder's lock: a server of this folder that runs is taken for an orphan.
 *
 * The server is in our process group, so kill -9 of the group ends it too; PostgreSQL recovers at the next start.
 * When only our process ends, a watchdog outside the group shuts the server down.
 *
 * Throws RunError: no binaries for this platform, no account to run as, a full disk, another user's folder, an abort.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  try {
    return await start(options);
  } catch (error) {
    throw serverError(join(options.folder, 'postgres'), error);
  }
}

async function start({ folder, allowNamespace = true, signal }: EmbeddedOptions): Promise<EmbeddedServer> {
  const home = await openServerHome(folder);
  const account = await chooseAccount(allowNamespace);
  const { serverRoot, socketFolder: before } = await chooseServerRoot(home, account);
  const data = join(serverRoot, 'data');
  await stopOrphan(data, signal);
  if (before) await rm(before, { recursive: true, force: true });
  const programs = await serverPrograms(serverRoot, account);
  const fresh = await makeDataFolder({ serverRoot, programs, account, signal });
  const socket = await socketFolder(account);
  const log = join(home.path, 'server.log');
  let server: ChildProcess | undefined;
  try {
    await writeServerRecord(home, { serverRoot, socketFolder: socket });
    server = await spawnServer({ data, socket, log, programs, account });
    await untilReady(server, data, log, signal);
  } catch (error) {
    if (server) await cutOff(server, clusterName(data));
    await rm(socket, { recursive: true, force: true });
    throw error;
  }
  return runningServer(server, { name: clusterName(data), socket, fresh, signal });
}

interface RunningServer {
  name: string;
  socket: string;
  fresh: boolean;
  signal: AbortSignal | undefined;
}

function runningServer(server: ChildProcess, { name, socket, fresh, signal }: RunningServer): EmbeddedServer {
  let stopping = false;
  const gone = hasEnded(server) ? Promise.resolve() : new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const ended = new Promise<string>((resolve) => {
    void gone.then(() => {
      if (!stopping) resolve(`PostgreSQL of this run ended (${howItEnded(server)}). Start the same command again: nothing is lost.`);
    });
  });
  // An idle server keeps no process alive: a run that forgets to stop it still ends, and the watchdog stops it.
  server.unref();
  return {
    url: `postgres://postgres@/postgres?host=${encodeURIComponent(socket)}`,
    pid: server.pid!,
    fresh,
    ended,
    async stop() {
      stopping = true;
      server.ref();
      if (!hasEnded(server)) {
        // What it held in its tables is lost in either case.
        server.kill((await isRecovering(name)) ? 'SIGQUIT' : 'SIGINT');
        const cutOffIn = (ms: number): NodeJS.Timeout => setTimeout(() => server.kill('SIGQUIT'), ms);
        const timers = [cutOffIn(STOP_TIMEOUT_MS)];
        const hurry = (): void => void timers.push(cutOffIn(HURRIED_STOP_TIMEOUT_MS));
        if (signal?.aborted) hurry();
        else signal?.addEventListener('abort', hurry, { once: true });
        await gone;
        signal?.removeEventListener('abort', hurry);
        for (const timer of timers) clearTimeout(timer);
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
  const name = clusterName(data);
  const settings = { ...serverSettings, unix_socket_directories: socket, cluster_name: name };
  const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const { file, args, ...ids } = asAccount(account, join(programs.root, 'bin', 'postgres'), ['-D', data, ...flags]);
  const output = await open(log, 'w');
  const watchdog = startWatchdog(name, socket);
  try {
    const server = spawn(file, args, { ...ids, cwd: '/', env: programEnvironment(programs), stdio: ['ignore', output.fd, output.fd] });
    if (server.pid !== undefined) watchdog.watch(server.pid);
    server.once('exit', () => watchdog.end());
    await new Promise<void>((resolve, reject) => {
      server.once('spawn', resolve);
      server.once('error', reject);
    });
    return server;
  } catch (error) {
    watchdog.end();
    throw error;
  } finally {
    await output.close();
  }
}

/** Waits for line 8 of postmaster.pid, as pg_ctl does. Recovery after kill -9 comes before it. */
async function untilReady(server: ChildProcess, data: string, log: string, signal: AbortSignal | undefined): Promise<void> {
  const end = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (signal?.aborted) throw startStopped(signal);
    const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return;
    const over = hasEnded(server);
    if (over || Date.now() > end) {
      const what = over ? 'it ended while it started' : `it was not ready after ${START_TIMEOUT_MS / 1000} s`;
      throw serverError(data, new Error(`${what}: ${await lastWords(log)} (all of it in ${log})`));
    }
    await sleep(10);
  }
}

/** Ends a server that is not ready. Its children would outlive a SIGKILL; a SIGQUIT it passes on, whatever it is doing. */
async function cutOff(server: ChildProcess, name: string): Promise<void> {
  server.kill('SIGQUIT');
  if (!(await untilGone(name, 2_000))) server.kill('SIGKILL');
  await untilGone(name, 2_000);
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function howItEnded({ exitCode, signalCode }: ChildProcess): string {
  return signalCode === null ? `exit code ${exitCode}` : `signal ${constants.signals[signalCode]}`;
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
