import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { JobResult } from '../../src/runtime/shard-job.ts';
import { ThreadExecutor } from '../../src/runtime/thread-executor.ts';

/** One worker thread, and shards of a stage that ends its thread as it is told. */
async function oneThread(): Promise<(shard: string, ends: string) => Promise<JobResult>> {
  const location = await mkdtemp(join(tmpdir(), 'pairmill-threads-'));
  const executor = new ThreadExecutor(1, { pipelineUrl: new URL('dying-stage.ts', import.meta.url).href, environment: {} }, () => Promise.reject(new Error()));
  onTestFinished(async () => {
    await executor.close();
    await rm(location, { recursive: true });
  });
  const settings = {
    location,
    id: 'run',
    locations: { made: join(location, 'made') },
    inputs: {},
    options: {},
    rejects: 'sample',
    acceptChanged: false,
  } as const;
  const madeBy = { format: 1, options: {}, models: {}, inputs: {} };
  return (name, ends) =>
    executor.submit(
      { stage: 'dying', shard: { name, work: { ends }, inputs: [] }, settings, madeBy, lineages: [] },
      { threads: 'cpu', progress: () => undefined },
    );
}

test('a thread that ends while it idles does not hold up the next shard', async () => {
  const make = await oneThread();
  expect((await make('00000', 'afterwards')).marker).toMatchObject({ shard: '00000' });
  await sleep(1_200);
  // Where it is just about to end, the shard fails and is tried again.
  const next = make('00001', 'never').catch(() => make('00001', 'never'));
  expect((await next).marker).toMatchObject({ shard: '00001' });
});

test('one that ends under a shard fails that shard, which may be tried again, and no other', async () => {
  const make = await oneThread();
  await expect(make('00000', 'while it runs')).rejects.toMatchObject({ name: 'ShardError', heals: true, message: 'dying 00000: its worker thread ended' });
  expect((await make('00000', 'never')).marker).toMatchObject({ shard: '00000' });
});
