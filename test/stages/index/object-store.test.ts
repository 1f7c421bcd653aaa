import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openIndex } from '../../../src/knn/open-index.ts';
import { index } from '../../../src/stages/index/index.ts';
import { release } from '../../../src/stages/release/release.ts';
import { environmentOf, withoutAws } from '../../storage/aws-environment.ts';
import { type S3Server, startS3Server } from '../../storage/s3-server.ts';
import { pairRows, writePairsAndTags } from '../release/pair-rows.ts';
import { digests, runOneStage, type StageRunSettings } from '../run-one-stage.ts';
import { vectorOf, writeEmbeddings } from './embedding-rows.ts';

/** The run in the store; its copy on this machine. */
const RUN = 's3://crawl/run';
let local: string;
let server: S3Server;
let settings: (output: string) => StageRunSettings;
const rows = pairRows(60, (i) => `0000${i % 3}${String(i).padStart(4, '0')}`);

withoutAws();
beforeEach(async () => {
  local = await mkdtemp(join(tmpdir(), 'pairmill-object-store-'));
  await writePairsAndTags(local, rows);
  await writeEmbeddings(local, rows);
  server = await startS3Server();
  for (const file of await filesBelow(local)) server.objects.set(`run/${file}`, await readFile(join(local, file)));
  const locations = Object.fromEntries(['pairs', 'tags', 'embeddings', 'release', 'index'].map((name) => [name, `${RUN}/${name}`]));
  settings = (output) => ({ environment: environmentOf(server), locations, output: `${RUN}/${output}` });
});
afterEach(() => rm(local, { recursive: true, force: true }));

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** What the store holds of a dataset, by name. */
function stored(dataset: string): [string, Buffer][] {
  const prefix = `run/${dataset}/`;
  const entries = [...server.objects].filter(([key]) => key.startsWith(prefix));
  return entries.map(([key, bytes]): [string, Buffer] => [key.slice(prefix.length), bytes]).sort(([a], [b]) => (a < b ? -1 : 1));
}

function storedDigests(dataset: string): Record<string, string> {
  const own = stored(dataset).filter(([name]) => !name.endsWith('_stats.json') && name !== '_sealed.json');
  return Object.fromEntries(own.map(([name, bytes]) => [`/${name}`, createHash('sha256').update(bytes).digest('hex')]));
}

test('the release has the bytes of one on this machine; made again, the old parts are gone', { timeout: 60_000 }, async () => {
  for (const seed of [1, 2]) {
    await runOneStage(release, RUN, { rowsPerPart: 20, seed }, { ...settings('release'), redo: seed > 1 });
    await runOneStage(release, local, { rowsPerPart: 20, seed }, { redo: seed > 1 });
    expect(storedDigests('release')).toEqual(await digests(join(local, 'release')));
  }
});

test('the index is whole in the store, and one build only', { timeout: 60_000 }, async () => {
  await runOneStage(release, RUN, {}, settings('release'));
  for (const build of ['00000-1', '00000-2']) {
    const { summary } = await runOneStage(index, RUN, {}, { ...settings('index'), redo: build !== '00000-1' });
    expect(summary).toMatchObject({ in: 60, out: 60 });
    const names = stored('index').map(([name]) => name);
    expect(new Set(names.map((name) => name.split('/')[0]))).toEqual(new Set([build, '00000_stats.json', '_sealed.json', 'index.json']));
  }
  for (const [name, bytes] of stored('index')) {
    await mkdir(dirname(join(local, 'index', name)), { recursive: true });
    await writeFile(join(local, 'index', name), bytes);
  }
  const opened = await openIndex(join(local, 'index'));
  const [best] = await opened.search(vectorOf(rows[7]!.hash, 0), { k: 1, modality: 'image' });
  expect((await opened.samples([best!.id]))[0]!.hash).toBe(rows[7]!.hash);
  await opened.close();
});
