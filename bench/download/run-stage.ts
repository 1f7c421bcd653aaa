import { parseArgs } from 'node:util';
import { openRun } from '../../src/runtime/run-pipeline.ts';
import { ThreadExecutor } from '../../src/runtime/thread-executor.ts';
import { download } from '../../src/stages/download/download.ts';
import { list } from '../../src/stages/list/list.ts';

/** The stage alone on a file of links, as a process of its own, so that its processor time can be told. */
const { values } = parseArgs({
  options: {
    input: { type: 'string' },
    output: { type: 'string' },
    port: { type: 'string' },
    workers: { type: 'string' },
    shard: { type: 'string' },
    mode: { type: 'string' },
  },
});
const { input, output, port, workers, shard, mode } = values as Record<'input' | 'output' | 'port' | 'workers' | 'shard' | 'mode', string>;

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
        download: download.options.parse({ connectTo: [`::127.0.0.1:${port}`], numberSamplePerShard: Number(shard), resizeMode: mode }),
      },
      rejects: 'sample',
      acceptChanged: false,
    },
    environment: {},
    redo: [],
    skipFailed: 0,
    version: 'bench',
    signal: new AbortController().signal,
  },
  executor,
  { changed: nothing, finished: nothing, failed: nothing, note: nothing, reached: nothing },
);
const { stages, failed } = await run.run();
await executor.close();
if (failed.length > 0) throw new Error(failed.map(({ message }) => message).join('\n'));
const { out } = stages.find(({ name }) => name === 'download')!;
console.log(JSON.stringify({ out, peakBytes: process.resourceUsage().maxRSS * 1024 }));
