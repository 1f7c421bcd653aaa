import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread, threadId } from 'node:worker_threads';
import { download } from '../../src/stages/download/download.ts';
import { list } from '../../src/stages/list/list.ts';

/** For the worker threads of `run-stage.ts`: the two stages, so that no other is loaded. */
export const pipeline = [list, download];

/** Where a thread leaves, at its end, how long its event loop was held up. */
export const delaysFolder = (output: string): string => join(output, '_delays');

const folder = process.env['BENCH_DELAYS'];
if (folder !== undefined && !isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  process.on('exit', () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${threadId}.json`), JSON.stringify({ longest: delay.max / 1e6, usual: delay.percentile(99) / 1e6 }));
  });
}
