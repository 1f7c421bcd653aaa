import { existsSync, writeFileSync } from 'node:fs';
import { ShardError } from '../contracts/errors.ts';

/**
 * Faults for the tests of kills and failures, at named points `STAGE.POINT`, or `STAGE.POINT:N` for the Nth passing in one thread.
 * `PAIRMILL_KILL_AT` names one at which the process group kills itself (SIGKILL), `PAIRMILL_FAIL_AT` some, with commas, at each
 * of which one shard fails. `PAIRMILL_PAUSE_AT` is `POINT=FILE`: while there is such a file, which the test makes, the thread writes
 * `reached` into it and does nothing until it is gone, so that the test can do something to its surroundings. Threads that come to the
 * point later pass it. Without them, passing a point does nothing.
 */
export function faultPoint(environment: Readonly<Record<string, string | undefined>>): (point: string) => void {
  const kills = countdown(environment['PAIRMILL_KILL_AT']);
  const fails = countdown(environment['PAIRMILL_FAIL_AT']);
  const [pausePoint, pauseFile] = environment['PAIRMILL_PAUSE_AT']?.split('=') ?? [];
  const pauses = countdown(pausePoint);
  return (point) => {
    if (pauses(point)) pauseWhileThere(pauseFile!);
    if (fails(point)) throw new ShardError(`a failure at ${point}, which PAIRMILL_FAIL_AT asked for`);
    if (!kills(point)) return;
    // Process group 0 is our own: PostgreSQL and the worker threads go with it, as with kill -9 of the group.
    process.kill(0, 'SIGKILL');
    // The signal comes at once, but not before the next instruction: nothing may run on.
    for (;;);
  };
}

function pauseWhileThere(file: string): void {
  try {
    // `r+`: another thread's pause may be over meanwhile, and nobody would end a second one.
    writeFileSync(file, 'reached', { flag: 'r+' });
  } catch {
    return;
  }
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(file)) Atomics.wait(cell, 0, 0, 2);
}

/** Says of each passing whether it is the one that is named. */
function countdown(points: string | undefined): (point: string) => boolean {
  const left = new Map<string, number>();
  for (const each of points?.split(',') ?? []) {
    const [point, count = '1'] = each.split(':');
    left.set(point!, Number(count));
  }
  return (point) => {
    const before = left.get(point);
    if (before === undefined) return false;
    left.set(point, before - 1);
    return before === 1;
  };
}
