import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, UsageError } from '../contracts/errors.ts';

/**
 * One process at a time works on a run folder: a second would stop the first one's PostgreSQL as an orphan. A lock
 * whose process is gone (killed) is taken over. Throws UsageError where the owner lives.
 */
export async function lockRunFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, '.lock');
  const mine = `${process.pid} ${await startTime(process.pid)}`;
  await mkdir(folder, { recursive: true });
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(mine);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    const [pid = '', ...time] = (await readFile(path, 'utf8').catch(() => '')).split(' ');
    if (pid && (await startTime(Number(pid))) === time.join(' ') && time.join(' ') !== '') {
      throw new UsageError(`Another pairmill process (pid ${pid}) works on ${folder}. Wait for it, stop it, or give another --run-dir.`);
    }
    await rm(path, { force: true });
  }
}

/** When a process was started, in clock ticks since boot: tells a process from a later one with its number. Empty where it is gone. */
async function startTime(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; field 22 counts from the state after it. A zombie works on nothing.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch {
    try {
      process.kill(pid, 0);
      return 'running';
    } catch {
      return '';
    }
  }
}
