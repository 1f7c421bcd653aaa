import { parseArgs } from 'node:util';
import { ThreadExecutor } from '../../src/runtime/thread-executor.ts';
import { runStage } from '../../src/runtime/run-stage.ts';
import { download } from '../../src/stages/download/download.ts';

/** The stage alone on a file of links, as a process of its own, so that its processor time can be told. */
const { values } = parseArgs({
  options: { input: { type: 'string' }, output: { type: 'string' }, port: { type: 'string' }, workers: { type: 'string' }, shard: { type: 'string' } },
});
const { input, output, port, workers, shard } = values as Record<'input' | 'output' | 'port' | 'workers' | 'shard', string>;

const executor = new ThreadExecutor(Number(workers), { pipelineUrl: new URL('pipeline.ts', import.meta.url).href });
const none = (): void => undefined;
const { summary, failed } = await runStage(
  download,
  {
    options: download.options.parse({ connectTo: [`::127.0.0.1:${port}`], numberSamplePerShard: Number(shard) }),
    folders: { input, output, rejects: `${output}-rejects`, stages: {} },
  },
  executor,
  { redo: false, acceptChanged: false, rejects: 'sample' },
  { progress: none, finished: none, failed: none, reached: none },
);
await executor.close();
if (failed.length > 0) throw new Error(failed.map(({ message }) => message).join('\n'));
console.log(JSON.stringify(summary));
