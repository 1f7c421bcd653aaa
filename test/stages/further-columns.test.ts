import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { type EmbeddingMetadata, Link, type Pair, type Sample } from '../../src/contracts/records.ts';
import { sampleHash } from '../../src/formats/sample-hash.ts';
import { download } from '../../src/stages/download/download.ts';
import { embed } from '../../src/stages/embed/embed.ts';
import { filter } from '../../src/stages/filter/filter.ts';
import { release } from '../../src/stages/release/release.ts';
import { embeddedDatabases } from '../db/harness.ts';
import { linkFile, makeLinks } from '../db/links.ts';
import { startServer } from '../net/loopback-server.ts';
import { emojiPicture } from './emoji-samples.ts';
import { allRows, runOneStage } from './run-one-stage.ts';
import { stagedRun } from './staged-run.ts';

const databases = embeddedDatabases();

test("the columns that extract made, and a user's own, go from the links through PostgreSQL to samples, pairs, embeddings and release", async () => {
  const picture = await emojiPicture('dog-face');
  const server = await startServer((request, response) => void (request.url === '/robots.txt' ? response.writeHead(404).end() : response.end(picture)));
  const run = await stagedRun(databases);
  const schema = z.object({ ...Link.shape, record_offset: z.int64().nullable(), author: z.string(), likes: z.int64().nullable(), score: z.number() });
  const links = makeLinks(8).map((link, i) => ({
    ...link,
    url: `http://pictures.test/${i}.jpg`,
    hash: sampleHash(`http://pictures.test/${i}.jpg`, link.text),
    language_confidence: Math.fround(0.1 * i),
    repetition_share: Math.fround(i / 7),
    record_offset: i === 0 ? null : link.record_offset,
    author: `“${i}”`,
    likes: i === 1 ? null : 2n ** 60n + BigInt(i),
    score: i / 3,
  }));
  await linkFile(join(run.folder, 'links', 'en', '00000.parquet'), links, schema);
  await run.ingest();
  await run.draw(5);
  await runOneStage(download, run.folder, { connectTo: [`::127.0.0.1:${server.port}`], minBytes: 0 });
  await runOneStage(filter, run.folder, { model: 'mini', thresholdEn: -1 });
  await runOneStage(embed, run.folder, { model: 'mini' });
  const carried = ['words', 'language_confidence', 'repetition_share', 'author', 'likes', 'score'] as const;
  await runOneStage(release, run.folder, { columns: [...carried] });

  const expected = new Map(
    links.map((link) => [
      link.hash,
      Object.fromEntries([...carried, 'characters', 'special_share', 'record_offset'].map((name) => [name, link[name as keyof typeof link]])),
    ]),
  );
  const datasets = { samples: 'samples', pairs: 'pairs', embeddings: join('embeddings', 'metadata') };
  for (const [name, folder] of Object.entries(datasets)) {
    const rows = await allRows<Sample | Pair | EmbeddingMetadata>(join(run.folder, folder));
    expect(rows, name).toHaveLength(8);
    for (const row of rows) expect(row, name).toMatchObject(expected.get(row.hash)!);
  }
  expect(await readdir(join(run.folder, 'release'))).toContain('en');
  const released = await allRows<{ hash: bigint }>(join(run.folder, 'release'));
  expect(released).toHaveLength(8);
  for (const row of released) {
    const { characters: _characters, special_share: _share, record_offset: _offset, ...columns } = expected.get(row.hash)!;
    expect(row).toMatchObject(columns);
  }
});
