import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DatasetState } from '../../../src/contracts/dataset.ts';
import { download } from '../../../src/stages/download/download.ts';
import { type DownloadWork, isChosen, planBatches } from '../../../src/stages/download/download-work.ts';
import { planRetries } from '../../../src/stages/download/plan-retries.ts';
import { list } from '../../../src/stages/list/list.ts';
import { startServer } from '../../net/loopback-server.ts';
import { emojiPicture } from '../emoji-samples.ts';
import { digests, runOneStage, type StageRun, type StageRunSettings } from '../run-one-stage.ts';
import { rowsOf, samplesOf, temporaryFolder, writeLinks } from './run-download.ts';

/** Twelve links in shards of four, and a server that answers as it is told: a status, or `not` for what is no picture. */
async function twelveLinks(answers: Map<number, number | 'not'>): Promise<{
  folder: string;
  requests: string[];
  run(settings?: StageRunSettings): Promise<StageRun>;
}> {
  const folder = await temporaryFolder();
  const picture = await emojiPicture('dog-face');
  const { port, requests } = await startServer((request, response) => {
    const answer = answers.get(Number(/\d+/.exec(request.url!)?.[0] ?? -1));
    if (request.url === '/robots.txt') response.writeHead(404).end();
    else if (answer === 'not') response.end('<html>');
    else if (answer !== undefined) response.writeHead(answer).end();
    else response.end(picture);
  });
  const links = Array.from({ length: 12 }, (_, i) => ({ url: `http://pictures.test/${i}.jpg`, text: `dog ${i}` }));
  const input = await writeLinks(join(folder, 'links.parquet'), links);
  await runOneStage(list, folder, { language: 'en' }, { input });
  const options = { connectTo: [`::127.0.0.1:${port}`], minBytes: 0, retries: 0, numberSamplePerShard: 4 };
  return { folder, requests, run: (settings = {}) => runOneStage(download, folder, options, settings) };
}

const paths = (requests: readonly string[]): string[] =>
  requests
    .filter((request) => !request.endsWith('robots.txt'))
    .map((request) => request.split(' ')[1]!)
    .sort();

describe('--retry-failed', () => {
  test('asks again for the links of these reasons and no others, in new shards, and counts each link once', async () => {
    const answers = new Map<number, number | 'not'>([[0, 503], [1, 404], [5, 500], [6, 429], [9, 503], [10, 502], [11, 'not']]); // prettier-ignore
    const { folder, requests, run } = await twelveLinks(answers);
    const first = await run();
    expect(first.summary).toMatchObject({
      in: 12,
      out: 5,
      dropped: { 'http-server-error': 4, 'http-not-found': 1, 'http-too-many-requests': 1, 'not-an-image': 1 },
    });
    const before = await digests(join(folder, 'samples'));
    answers.clear();
    requests.length = 0;
    const retried = await run({ retry: ['http-server-error', 'http-too-many-requests'] });
    expect(retried.notes).toEqual(['download tries 5 links of 3 shards again, in 2 new shards (00003, 00004).']);
    expect(paths(requests)).toEqual(['/0.jpg', '/10.jpg', '/5.jpg', '/6.jpg', '/9.jpg']);
    expect([retried.made, retried.kept]).toEqual([
      ['00003', '00004'],
      ['00000', '00001', '00002'],
    ]);
    expect(retried.summary).toMatchObject({ in: 12, out: 10, dropped: { 'http-not-found': 1, 'not-an-image': 1 } });
    expect(await digests(join(folder, 'samples'))).toMatchObject(before);
    // The rows are those of a link that was never tried before, further columns and all, under the keys of the new shard.
    const rows = await rowsOf(join(folder, 'samples', '00003.parquet'));
    expect(rows.map(({ key, url, caption, uid, status }) => [key, url, caption, uid, status])).toEqual(
      [0, 5, 6].map((n, i) => [`00003000${i}`, `http://pictures.test/${n}.jpg`, `dog ${n}`, `uid-${n}`, 'success']),
    );
    expect(rows[1]).toMatchObject({ words: 1, characters: 5 });
    expect([...(await samplesOf(join(folder, 'samples', '00004.tar'))).keys()]).toEqual(['000040000', '000040001']);
    const marker = retried.shards.find(({ shard }) => shard === '00003')!;
    expect(marker).toMatchObject({
      in: 3,
      out: 3,
      retried: { '00000': { 'http-server-error': 1 }, '00001': { 'http-server-error': 1, 'http-too-many-requests': 1 } },
    });

    // Nothing has failed for these reasons since.
    requests.length = 0;
    const again = await run({ retry: ['http-server-error'] });
    expect([again.made, again.notes, paths(requests)]).toEqual([
      [],
      ['--retry-failed has nothing to do: no link that download has dropped under http-server-error is left that was not tried again.'],
      [],
    ]);
    // Of these two reasons the rows say the same, so one takes the other along.
    expect((await run({ retry: ['decode-failed'] })).summary).toMatchObject({ in: 12, out: 11, dropped: { 'http-not-found': 1 } });
  });

  test('what fails again is tried again by the next command that asks for it, and not by the same one', async () => {
    const answers = new Map<number, number>([[3, 503], [7, 503]]); // prettier-ignore
    const { run } = await twelveLinks(answers);
    await run();
    answers.delete(3);
    const once = await run({ retry: ['http-server-error'] });
    expect([once.made, once.summary.out, once.summary.dropped]).toEqual([['00003'], 11, { 'http-server-error': 1 }]);
    answers.delete(7);
    const twice = await run({ retry: ['http-server-error'] });
    expect([twice.made, twice.summary]).toEqual([['00004'], expect.objectContaining({ in: 12, out: 12, dropped: {} })]);
  });

  test.each([[['http-server-error']], [[]]])('killed, the same command goes on with it, also without the flag: %j', async (retry) => {
    const answers = new Map<number, number>([[3, 503], [7, 404]]); // prettier-ignore
    const { folder, run } = await twelveLinks(answers);
    await run();
    answers.clear();
    const stop = (point: string): void => {
      if (point === 'download.written') throw new Error('killed');
    };
    const killed = await run({ retry: ['http-server-error'], reached: stop, mayFail: true });
    expect(killed.failed).toHaveLength(1);
    const { made, summary } = await run({ retry });
    expect([made, summary]).toEqual([['00003'], expect.objectContaining({ in: 12, out: 11, dropped: { 'http-not-found': 1 } })]);
    // A redo asks for all links again, and what was tried again goes.
    expect((await run({ redo: true })).summary).toMatchObject({ in: 12, out: 12, dropped: {} });
    expect(Object.keys(await digests(join(folder, 'samples'))).filter((name) => name.includes('00003'))).toEqual([]);
  });

  test('rows that are gone can not say which links failed', async () => {
    const { folder, run } = await twelveLinks(new Map([[3, 503]]));
    const { shards } = await run();
    expect(shards).toHaveLength(3);
    await rm(join(folder, 'samples', '00000.parquet'));
    // The shard is damaged, made again, and what of it is to be tried again waits for it.
    const retried = await run({ retry: ['http-server-error'] });
    expect([retried.made, retried.summary]).toEqual([['00000', '00003'], expect.objectContaining({ in: 12, out: 11, dropped: { 'http-server-error': 1 } })]);
  });
});

describe('its plan', () => {
  const batches = (...names: string[]): DatasetState => ({ shards: names.map((name) => ({ name, digest: name, out: 4, files: [] })), sealed: true });
  const own = (dropped: Record<string, Record<string, number>>, more = {}): DatasetState => ({
    shards: Object.entries(dropped).map(([name, each]) => ({ name, digest: name, files: [`${name}.parquet`], dropped: each, ...more })),
    sealed: false,
  });
  const finished = own({ '00000': { timeout: 1 }, '00001': { timeout: 2, 'http-not-found': 1 } });
  const retry = { reasons: ['timeout'], finishedBefore: new Set(['00000', '00001']) };
  const plan = (drawn: DatasetState, recorded: Map<string, DownloadWork>, more: object = { own: finished, retry }) =>
    planRetries(planBatches(drawn, recorded), { recorded, ...(more as { own: DatasetState }) });
  const works = ({ shards }: { shards: readonly { name: string; work: DownloadWork }[] }): [string, DownloadWork][] =>
    shards.map(({ name, work }) => [name, work]);
  /** As the runtime records what planning chooses. */
  const recordedBy = (planned: ReturnType<typeof plan>, before = new Map<string, DownloadWork>()): Map<string, DownloadWork> =>
    new Map([...before, ...works({ shards: planned.shards.filter(isChosen) })]);

  test('a batch whose number a shard of it has takes the next free one, and keeps that', () => {
    const first = plan(batches('00000', '00001'), new Map());
    const wanted = [
      { shard: '00000', reasons: ['timeout'] },
      { shard: '00001', reasons: ['timeout'] },
    ];
    expect(works(first).at(-1)).toEqual(['00002', { retry: wanted, size: 4 }]);
    expect(first.shards.at(-1)!.after).toEqual(['00000', '00001']);
    const recorded = recordedBy(first);
    const later = plan(batches('00000', '00001', '00002', '00003'), recorded, { own: finished });
    expect(works(later).map(([name, work]) => [name, 'batch' in work ? work.batch : 'retry'])).toEqual([
      ['00000', '00000'],
      ['00001', '00001'],
      ['00004', '00002'],
      ['00003', '00003'],
      ['00002', 'retry'],
    ]);
    const after = plan(batches('00000', '00001', '00002', '00003', '00004'), recordedBy(later, recorded), { own: finished });
    expect(works(after).map(([name, work]) => [name, 'batch' in work ? work.batch : 'retry'])).toContainEqual(['00005', '00004']);
    expect(works(after).map(([name, work]) => [name, 'batch' in work ? work.batch : 'retry'])).toContainEqual(['00004', '00002']);
  });

  test('is the same however often it is asked for, and another reason is planned beside it', () => {
    const recorded = recordedBy(plan(batches('00000', '00001'), new Map()));
    expect(plan(batches('00000', '00001'), recorded).shards).toHaveLength(3);
    const other = plan(batches('00000', '00001'), recorded, { own: finished, retry: { ...retry, reasons: ['timeout', 'http-not-found'] } });
    expect(works(other).at(-1)).toEqual(['00003', { retry: [{ shard: '00001', reasons: ['http-not-found'] }], size: 4 }]);
    expect(other.notes).toEqual([
      'download goes on with what an earlier --retry-failed began, in 1 shard (00002).',
      'download tries 1 link of 1 shard again, in 1 new shard (00003).',
    ]);
  });

  test('refuses where --output-format dummy has written no rows', () => {
    expect(() => plan(batches('00000', '00001'), new Map(), { own: own({ '00000': { timeout: 1 } }, { files: [] }), retry })).toThrow(
      '--retry-failed: --output-format dummy writes no rows that say which links failed.',
    );
  });

  test('refuses where the rows were removed by --keep', () => {
    const removed = own({ '00000': { timeout: 1 }, '00001': {} }, { removed: true });
    expect(() => plan(batches('00000', '00001'), new Map(), { own: removed, retry })).toThrow(
      "--retry-failed can't tell which links of 1 shard of samples/ failed: --keep has removed their rows. Nothing was changed. --redo download asks for all links again.",
    );
  });
});
