import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openRun } from '../../src/runtime/open-run.ts';
import { ThreadExecutor } from '../../src/runtime/thread-executor.ts';
import { download } from '../../src/stages/download/download.ts';
import { list } from '../../src/stages/list/list.ts';
import { delaysFolder } from './pipeline.ts';

/** The stage alone on a file of links, as a process of its own, so that its processor time can be told. Its last line is a `Run`, without the times. */
const { values } = parseArgs({ options: { input: { type: 'string' }, output: { type: 'string' }, workers: { type: 'string' }, options: { type: 'string' } } });
const { input, output, workers, options } = values as Record<'input' | 'output' | 'workers' | 'options', string>;

const delays = delaysFolder(output);
process.env['BENCH_DELAYS'] = delays;
const settings = { pipelineUrl: new URL('pipeline.ts', import.meta.url).href, environment: {} };
const executor = new ThreadExecutor(Number(workers), settings, () => Promise.reject(new Error('download needs no database')));
const nothing = (): void => undefined;
const run = await openRun(
  {
    stages: [list, download],
    settings: {
      location: output,
      locations: { samples: output, lists: `${output}/_lists` },
      inputs: { list: input },
      options: {
        list: list.options.parse({ language: 'en' }),
        download: download.options.parse(JSON.parse(options)),
      },
      rejects: 'sample',
      acceptChanged: false,
    },
    environment: {},
    redo: [],
    skipFailed: 0,
    signal: new AbortController().signal,
  },
  executor,
  { changed: nothing, finished: nothing, failed: nothing, note: nothing, reached: nothing },
);
const { stages, failed } = await run.run();
await executor.close();
if (failed.length > 0) throw new Error(failed.map(({ message }) => message).join('\n'));
const { out: packed } = stages.find(({ name }) => name === 'download')!;
const stalls = existsSync(delays)
  ? readdirSync(delays).map((name) => JSON.parse(readFileSync(join(delays, name), 'utf8')) as { longest: number; usual: number })
  : [];
console.log(
  JSON.stringify({
    packed,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    longestStallMs: Math.max(...stalls.map(({ longest }) => longest)),
    usualStallMs: Math.max(...stalls.map(({ usual }) => usual)),
  }),
);
