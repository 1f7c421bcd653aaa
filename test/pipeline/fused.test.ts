import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { verifyRun } from '../../src/runtime/verify-run.ts';
import { openStorage } from '../../src/storage/open-storage.ts';
import { emojiPicture } from '../stages/emoji-samples.ts';
import { digests } from '../stages/run-one-stage.ts';
import { type Finished, pairmill } from './pairmill.ts';

/** download → filter hand in hand: what two separate stages make, without the tars between them. */

const icons = ['dog-face', 'cat-face', 'red-apple', 'airplane', 'tulip', 'pizza', 'guitar', 'fish'];
const words = ['dog face', 'cat face', 'red apple', 'airplane', 'tulip', 'pizza', 'guitar', 'fish'];
const LINKS = 28;

let folder: string;
let server: Server;
let requests = 0;
let mended = false;
const at = (...path: string[]): string => join(folder, ...path);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fused-'));
  const pictures = await Promise.all(icons.map((icon) => emojiPicture(icon)));
  server = createServer((request, response) => {
    const number = /(\d+)\.jpg/.exec(request.url!)?.[1];
    if (number !== undefined) requests++;
    if (number === undefined || (number === '5' && !mended)) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'image/jpeg' }).end(pictures[Number(number) % pictures.length]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Every third text is a wrong one; the last link comes twice; a column of the user's own with text that is no text.
  const rows = Array.from({ length: LINKS }, (_, i) => {
    const word = words[(i + (i % 3 === 2 ? 4 : 0)) % 8]!;
    return JSON.stringify({ url: `http://pictures.test/${i}.jpg`, text: `${word} ${i}`, shop: i % 2 ? `“${i}”` : null, price: i / 3, id: i });
  });
  await writeFile(at('list.jsonl'), [...rows, rows.at(-1)].join('\n'));
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

const args = (run: string, ...more: string[]): string[] => {
  const connectTo = `::127.0.0.1:${(server.address() as AddressInfo).port}`;
  const words = `run ${at('list.jsonl')} --run-dir ${at(run)} --model mini --language en --min-bytes 0 --quiet --workers 1 --until release --connect-to ${connectTo}`;
  return [...words.split(' '), '--download.number-sample-per-shard', '10', ...more];
};

async function inProcess(...argv: string[]): Promise<number> {
  const silent = (): void => undefined;
  return runCommandLine(argv, { out: silent, err: silent, terminal: undefined, columns: 100, signal: new AbortController().signal, environment: {} });
}

/** Markers without times, and without that the tars are gone. */
async function markers(run: string, dataset: string): Promise<Record<string, unknown>[]> {
  const names = (await readdir(at(run, dataset))).filter((name) => name.endsWith('_stats.json')).sort();
  return Promise.all(
    names.map(async (name) => {
      const {
        duration: _,
        start_time: _start,
        end_time: _end,
        removed: _removed,
        kept: _kept,
        redo: _redo,
        ...marker
      } = JSON.parse(await readFile(at(run, dataset, name), 'utf8')) as Record<string, unknown>;
      return marker;
    }),
  );
}

async function expectSame(run: string, datasets = ['pairs', 'embeddings', 'tags', 'release']): Promise<void> {
  for (const dataset of datasets) expect(await digests(at(run, dataset)), `${run} ${dataset}`).toEqual(await digests(at('two', dataset)));
  for (const dataset of ['samples', 'pairs']) expect(await markers(run, dataset), `${run} ${dataset}`).toEqual(await markers('two', dataset));
  for (const stage of ['download', 'filter']) expect(await digests(at(run, 'rejects', stage))).toEqual(await digests(at('two', 'rejects', stage)));
  const withoutTars = Object.entries(await digests(at('two', 'samples'))).filter(([name]) => !name.endsWith('.tar'));
  expect(await digests(at(run, 'samples'))).toEqual(Object.fromEntries(withoutTars));
}

test('fused: the same pairs, release, rejects and markers as of two stages, and no tar of samples', async () => {
  expect(await inProcess(...args('two'))).toBe(0);
  requests = 0;
  expect(await inProcess(...args('fused', '--fused'))).toBe(0);
  expect(requests).toBe(LINKS);
  expect((await readdir(at('two', 'samples'))).filter((name) => name.endsWith('.tar'))).toEqual(['00000.tar', '00001.tar', '00002.tar']);
  await expectSame('fused');
  const [marker] = await markers('two', 'pairs');
  // Of ten links one is answered by 404; wrong texts and right ones are among the others.
  expect(marker).toMatchObject({ in: 9 });
  expect(marker!['out']).toBeGreaterThan(2);
  expect(marker!['out']).toBeLessThan(8);

  const found = await Array.fromAsync(verifyRun({ samples: await openStorage(at('fused', 'samples'), {}) }, folder, new AbortController().signal));
  expect(found.filter((each) => !('verified' in each))).toMatchObject(
    ['00000', '00001', '00002'].map((shard) => ({ kind: 'removed', shard, what: expect.stringMatching(/tar was never on the disk/) as string })),
  );
  expect(found.filter((each) => 'verified' in each)).toHaveLength(3);

  // Nothing is to be done again, fused or not.
  requests = 0;
  expect(await inProcess(...args('fused'))).toBe(0);
  expect(requests).toBe(0);
});

test('killed between the two markers, the same command goes on and comes to the same', async () => {
  const run = 'killed';
  // The pairs have theirs, the samples not yet.
  const { signal, err }: Finished = await pairmill(args(run, '--fused'), { PAIRMILL_KILL_AT: 'download.unmarked' });
  expect(signal, err).toBe('SIGKILL');
  expect(await inProcess(...args(run, '--fused'))).toBe(0);
  await expectSame(run);
});

test('to filter anew what was filtered as it came, both are made again', async () => {
  const again = (...more: string[]): Promise<number> => inProcess(...args('fused', '--fused', '--filter.threshold', '0.5', '--until', 'filter', ...more));
  await expect(again()).rejects.toThrow(/filter: 3 of 3 shards .* were made with other options: --threshold was nothing, is 0.5/);
  await expect(again('--redo', 'filter')).rejects.toThrow(
    /download: .*its files were removed \(--keep, --fused\) and are needed again.* Give --redo download/s,
  );
  requests = 0;
  expect(await again('--redo', 'download,filter')).toBe(0);
  expect(requests).toBe(LINKS);
  expect(await inProcess(...args('two', '--filter.threshold', '0.5', '--until', 'filter', '--redo', 'filter'))).toBe(0);
  await expectSame('fused', ['pairs']);
});

test('--retry-failed asks again for what failed, fused or not, and comes to the same', async () => {
  mended = true;
  const retried = (run: string, ...more: string[]): Promise<number> =>
    inProcess(...args(run, '--filter.threshold', '0.5', '--until', 'filter', '--retry-failed', 'http-not-found', ...more));
  requests = 0;
  expect(await retried('two')).toBe(0);
  expect(await retried('fused', '--fused')).toBe(0);
  expect(requests).toBe(2);
  await expectSame('fused', ['pairs']);
  expect(await markers('fused', 'pairs')).toHaveLength(4);
});

test('--fused where there is nothing to fuse, or all scores have to be known first, is refused', async () => {
  await expect(inProcess(...args('none', '--fused', '--keep-top', '0.3'))).rejects.toThrow(/--keep-top has to know all scores before/);
  await expect(inProcess('run', at('two', 'samples'), '--run-dir', at('none'), '--fused', '--quiet')).rejects.toThrow(
    /--fused filters what is downloaded, and this command has filter/,
  );
});
