import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { RunError } from '../contracts/errors.ts';
import type { Stage } from '../contracts/stage.ts';
import { faultPoint } from './fault-point.ts';
import { failureOf } from './job-failure.ts';
import { ResourcePool } from './resource-pool.ts';
import { runShardJob } from './run-shard-job.ts';
import type { ItemCounts, ShardJob } from './shard-job.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './thread-executor.ts';

/** A worker thread of the thread executor: loads the pipeline, runs the jobs that it is sent, one at a time. */

const port = parentPort!;
const settings = workerData as WorkerSettings;
const { pipeline } = (await import(settings.pipelineUrl)) as { pipeline: readonly Stage[] };
const reached = faultPoint(settings.environment);
const controller = new AbortController();
const ports = new Map<number, (port: MessagePort) => void>();
let asked = 0;
const resources = new ResourcePool((thread, number) => {
  const id = ++asked;
  return new Promise((resolve) => {
    ports.set(id, resolve);
    send({ id, thread, number });
  });
});
let running: Promise<void> = Promise.resolve();

/** Progress is summed and sent a few times a second: a message an item would cost more than the item. */
let pending = { in: 0, out: 0, dropped: 0 };
const send = (message: FromWorker): void => port.postMessage(message);
const flush = (): void => {
  if (pending.in || pending.out || pending.dropped) send({ progress: pending });
  pending = { in: 0, out: 0, dropped: 0 };
};
setInterval(flush, 200).unref();

let answered: { resolve(url: string): void; reject(error: Error): void } | undefined;
const database = (): Promise<string> =>
  new Promise((resolve, reject) => {
    answered = { resolve, reject };
    send({ ask: 'database' });
  });

port.on('message', (message: ToWorker) => {
  if ('stop' in message) {
    controller.abort();
    void running.then(() => resources.close()).finally(() => port.close());
  } else if ('database' in message) answered?.resolve(message.database);
  else if ('noDatabase' in message) answered?.reject(new RunError(message.noDatabase));
  else if ('port' in message) {
    ports.get(message.id)?.(message.port);
    ports.delete(message.id);
  } else running = run(message.job);
});

async function run(job: ShardJob): Promise<void> {
  try {
    const done = await runShardJob(pipeline, job, {
      signal: controller.signal,
      resources,
      environment: settings.environment,
      database,
      reached,
      progress: add,
    });
    flush();
    send({ done });
  } catch (error) {
    flush();
    send({ failed: failureOf(error) });
  }
}

function add(counts: ItemCounts): void {
  pending.in += counts.in ?? 0;
  pending.out += counts.out ?? 0;
  pending.dropped += counts.dropped ?? 0;
}
