import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { RunError, systemCode } from '../contracts/errors.ts';
import { startStopped } from './server-error.ts';

/**
 * The server's `cluster_name`, made from the data folder's path. PostgreSQL writes it into the title of each of its
 * processes, so that a server is known by what it says of itself and not by a process id, which may be another
 * program's by now, and backends are found whose postmaster is dead. Titles can be read of any user's processes;
 * a working directory can't, for root in a container without CAP_SYS_PTRACE.
 */
export function clusterName(dataFolder: string): string {
  return `pairmill-${createHash('sha256').update(dataFolder).digest('hex').slice(0, 16)}`;
}

/** True while the server recovers, at its start or after one of its processes was killed: then it does not listen to a fast shutdown. */
export async function isRecovering(name: string): Promise<boolean> {
  return (await processTitles()).some(({ title }) => title.startsWith(`postgres: ${name}: startup`));
}

/** Process ids of this server: the postmaster and its backends. Dying ones count until they are gone. */
export async function serverProcesses(name: string): Promise<number[]> {
  const titles = await processTitles();
  // `postgres: NAME: checkpointer`, or the postmaster's `/…/bin/postgres -D … -c cluster_name=NAME`.
  const ours = new RegExp(`^(postgres: ${name}\\b|\\S*/postgres .*cluster_name=${name}\\b)`);
  return titles.filter(({ title }) => ours.test(title)).map(({ pid }) => pid);
}

/**
 * Stops a server that an earlier, killed run left behind, in whatever state it is, and clears its lock file.
 * Three states were seen after kill -9: nothing lives; the postmaster lives on (only our process was killed); the
 * postmaster is dead and backends are ending. In the last one the shared memory is still attached and a new server
 * would refuse to start. It knows its server by the real path of the data folder, so that of a folder's original, or of
 * a copy, is never stopped. Throws RunError where the processes can't be ended, and when `stop` is aborted.
 */
export async function stopOrphan(dataFolder: string, stop?: AbortSignal): Promise<void> {
  const name = clusterName(dataFolder);
  const lock = join(dataFolder, 'postmaster.pid');
  const postmaster = Number((await readFile(lock, 'utf8').catch(() => '')).split('\n')[0]);
  const alive = await serverProcesses(name);
  if (alive.includes(postmaster)) {
    // Fast shutdown: a clean end makes the next start quick. A server that recovers does not listen to it at once.
    signal(postmaster, 'SIGINT');
    await untilGone(name, 20_000, stop);
  } else if (alive.length > 0) {
    // They end by themselves as soon as they see that the postmaster is gone.
    await untilGone(name, 2_000, stop);
  }
  for (const pid of await serverProcesses(name)) signal(pid, 'SIGKILL');
  if (!(await untilGone(name, 10_000))) {
    const left = await serverProcesses(name);
    throw new RunError(
      `PostgreSQL of an earlier run (processes ${left.join(', ')}) on ${dataFolder} can't be stopped. End them, then start the same command again.`,
    );
  }
  // With no process of this server alive the file is stale. Its process id may by now be another program's, which
  // PostgreSQL would take for a running server.
  await rm(lock, { force: true });
}

/** Waits until no process of the server is left; false where some are after that time. */
export async function untilGone(name: string, ms: number, stop?: AbortSignal): Promise<boolean> {
  const end = Date.now() + ms;
  while ((await serverProcesses(name)).length > 0) {
    if (stop?.aborted) throw startStopped(stop);
    if (Date.now() > end) return false;
    await sleep(25);
  }
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (systemCode(error) !== 'ESRCH' && systemCode(error) !== 'EPERM') throw error;
  }
}

function processTitles(): Promise<{ pid: number; title: string }[]> {
  return process.platform === 'linux' ? titlesFromProc() : titlesFromPs();
}

async function titlesFromProc(): Promise<{ pid: number; title: string }[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry)).map(Number);
  return Promise.all(
    pids.map(async (pid) => {
      // Processes come and go while we read; the command line of a zombie is empty.
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return { pid, title: line.replaceAll('\0', ' ') };
    }),
  );
}

async function titlesFromPs(): Promise<{ pid: number; title: string }[]> {
  const { stdout } = await promisify(execFile)('ps', ['-axww', '-o', 'pid=,command='], { maxBuffer: 64 * 2 ** 20 });
  return stdout.split('\n').map((line) => {
    const [, pid, title] = /^\s*(\d+) (.*)$/.exec(line) ?? [];
    return { pid: Number(pid ?? 0), title: title ?? '' };
  });
}
