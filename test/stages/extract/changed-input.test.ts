import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { extract } from '../../../src/stages/extract/extract.ts';
import { gzipped, image, record, watJson } from '../../formats/crawl-bytes.ts';
import { digests, runOneStage } from '../run-one-stage.ts';

let base: string;
let run: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-changed-'));
  run = join(base, 'run');
  await mkdir(join(base, 'crawl'));
  for (const name of ['b', 'c', 'd']) await writeFile(join(base, 'crawl', `${name}.wat.gz`), wat(name));
});
afterEach(() => rm(base, { recursive: true }));

const wat = (...names: string[]): Buffer => gzipped(names.map((name) => record(watJson({ links: [image(`${name}.png`, `picture of ${name}`)] }))));
const start = (input = join(base, 'crawl'), runDir = run) => runOneStage(extract, runDir, { languageDetector: 'none' }, { input });

describe('numbers of crawl files', () => {
  it('are given once: a file that sorts first gets the next', async () => {
    await start();
    const before = await digests(join(run, 'candidates'));
    await writeFile(join(base, 'crawl', 'a.wat.gz'), wat('a'));
    const { made, shards } = await start();
    expect(made).toEqual(['00003']);
    expect(shards.map(({ made_by }) => Object.keys(made_by.inputs))).toEqual([['b.wat.gz'], ['c.wat.gz'], ['d.wat.gz'], ['a.wat.gz']]);
    expect(await digests(join(run, 'candidates'))).toMatchObject(before);
  });

  it('stay with the others when a file goes, and its shard goes with it', async () => {
    await start();
    await rm(join(base, 'crawl', 'c.wat.gz'));
    const { made, kept } = await start();
    expect([made, kept]).toEqual([[], ['00000', '00002']]);
    expect((await readdir(join(run, 'candidates'))).filter((name) => name.endsWith('.parquet')).sort()).toEqual(['00000.parquet', '00002.parquet']);
    await writeFile(join(base, 'crawl', 'c.wat.gz'), wat('c'));
    expect((await start()).made).toEqual(['00001']);
  });

  it('stay when the folder of the crawl is renamed, or the run with the crawl in it', async () => {
    await start();
    await rename(join(base, 'crawl'), join(base, 'renamed'));
    expect((await start(join(base, 'renamed'))).made).toEqual([]);
    const inside = join(base, 'inside');
    await cp(join(base, 'renamed'), join(inside, 'crawl'), { recursive: true });
    await start(join(inside, 'crawl'), inside);
    await rename(inside, join(base, 'moved'));
    expect((await start(join(base, 'moved/crawl'), join(base, 'moved'))).made).toEqual([]);
    expect(JSON.parse(await readFile(join(base, 'moved/candidates/_plan/00000.json'), 'utf8'))).toMatchObject({ path: 'crawl/b.wat.gz' });
  });

  it('stay when a file changes, and only its shard is made again', async () => {
    await start();
    await writeFile(join(base, 'crawl', 'c.wat.gz'), wat('c', 'c2'));
    const { made, notes } = await start();
    expect(made).toEqual(['00001']);
    expect(notes.join()).toContain('c.wat.gz has changed');
  });
});

it('reads a signed URL whose signature is recorded in no file of the dataset', async () => {
  const server = createServer((request, response) =>
    request.url?.includes('X-Amz-Signature=5ec2e7') ? response.end(wat('signed')) : response.writeHead(403).end(),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.wat.gz`;
    expect((await start(`${url}?X-Amz-Signature=5ec2e7&X-Amz-Date=1`)).summary.out).toBe(1);
    // Signed anew it is the same file.
    expect((await start(`${url}?X-Amz-Signature=5ec2e7&X-Amz-Date=2`)).made).toEqual([]);
    for (const name of await readdir(join(run, 'candidates'), { recursive: true, withFileTypes: true }))
      if (name.isFile()) expect(await readFile(join(name.parentPath, name.name), 'latin1')).not.toContain('5ec2e7');
  } finally {
    server.close();
  }
});
