import { join } from 'node:path';
import { expect, test } from 'vitest';
import { download } from '../../../src/stages/download/download.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { list } from '../../../src/stages/list/list.ts';
import { startServer } from '../../net/loopback-server.ts';
import { emojiPicture } from '../emoji-samples.ts';
import { digests, runOneStage, type StageRun } from '../run-one-stage.ts';
import { temporaryFolder, writeLinks } from './run-download.ts';

test('--redo download after an outage: the filter takes up all that is there now, without being asked to', async () => {
  const [folder, quiet] = [await temporaryFolder(), await temporaryFolder()];
  const picture = await emojiPicture('dog-face');
  let out = true;
  const server = await startServer((request, response) => {
    if (request.url === '/robots.txt') response.writeHead(404).end();
    else if (out && Number(/\d+/.exec(request.url!)![0]) % 3 === 0) response.writeHead(503).end();
    else response.end(picture);
  });
  const links = Array.from({ length: 12 }, (_, i) => ({ url: `http://pictures.test/${i}.jpg`, text: 'dog face' }));
  const input = await writeLinks(join(folder, 'links.parquet'), links);
  const options = { connectTo: [`::127.0.0.1:${server.port}`], minBytes: 0, retries: 0, numberSamplePerShard: 4 };
  const run = (runDir: string, redo: boolean): Promise<StageRun> => runOneStage(download, runDir, options, { redo });
  for (const runDir of [folder, quiet]) await runOneStage(list, runDir, { language: 'en' }, { input });

  expect((await run(folder, false)).summary).toMatchObject({ in: 12, out: 8, dropped: { 'http-server-error': 4 } });
  expect((await runOneStage(filter, folder, { model: 'mini' })).summary).toMatchObject({ in: 8, out: 8 });
  out = false;
  // Not asked again: links die.
  expect((await run(folder, false)).made).toEqual([]);
  const again = await run(folder, true);
  expect([again.made, again.summary.out]).toEqual([['00000', '00001', '00002'], 12]);
  const filtered = await runOneStage(filter, folder, { model: 'mini' });
  expect([filtered.made, filtered.summary.in]).toEqual([['00000', '00001', '00002'], 12]);

  await run(quiet, false);
  await runOneStage(filter, quiet, { model: 'mini' });
  for (const dataset of ['samples', 'pairs']) expect(await digests(join(folder, dataset))).toEqual(await digests(join(quiet, dataset)));
});
