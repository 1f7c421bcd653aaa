import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { EmbeddingMetadata } from '../../../src/contracts/records.ts';
import { readParquet } from '../../../src/formats/parquet.ts';
import { embed } from '../../../src/stages/embed/embed.ts';
import { requirePythonFor } from '../../python.ts';
import { emojiSamples, ownColumns, writeSamplesShard } from '../emoji-samples.ts';
import { runOneStage } from '../run-one-stage.ts';

interface Hit {
  id: number;
  similarity: number;
  url: string;
  image_path: string;
  caption: string;
}

test("clip-retrieval's own index (autofaiss) is built of ours, and its own back answers with our metadata", async (context) => {
  const modules = ['clip_retrieval', 'all_clip', 'autofaiss', 'faiss', 'flask'];
  const find = `import importlib.util, sys; sys.exit(any(importlib.util.find_spec(name) is None for name in ${JSON.stringify(modules)}))`;
  const python = requirePythonFor(context, find, modules.join(', '));
  const run = await mkdtemp(join(tmpdir(), 'clip-retrieval-'));
  onTestFinished(() => rm(run, { recursive: true }));
  for (const [i, samples] of [emojiSamples.slice(0, 3), emojiSamples.slice(3, 5)].entries())
    await writeSamplesShard(join(run, 'pairs'), `0000${i}`, samples, ownColumns);
  await runOneStage(embed, run, { model: 'mini', shardsPerPart: 1 });
  const rows: EmbeddingMetadata[] = [];
  for (const part of ['00000', '00001'])
    rows.push(...(await Array.fromAsync(readParquet<EmbeddingMetadata>(join(run, `embeddings/metadata/metadata_${part}.parquet`)))));
  expect(rows).toHaveLength(5);

  const script = join(import.meta.dirname, '../../pipeline/clip-retrieval.py');
  const { stdout } = await promisify(execFile)(python, [script, 'back', join(run, 'embeddings'), join(run, 'faiss'), String(await freePort())]);
  const found = JSON.parse(stdout.trim().split('\n').at(-1)!) as { img_emb: Hit[][]; text_emb: Hit[][]; metadata: { id: number; metadata: Hit }[] };
  for (const [i, { url, caption, key }] of rows.entries()) {
    for (const hits of [found.img_emb[i]!, found.text_emb[i]!]) {
      expect(hits).toHaveLength(3);
      expect(hits[0]).toMatchObject({ id: i, url, caption, image_path: key });
      expect(hits[0]!.similarity).toBeCloseTo(1, 2);
    }
    expect(found.metadata[i]).toMatchObject({ id: i, metadata: { url, caption } });
  }
}, 120_000);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
