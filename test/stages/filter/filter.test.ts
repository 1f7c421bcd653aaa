import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pair, Reject } from '../../../src/contracts/records.ts';
import { readParquet } from '../../../src/formats/parquet.ts';
import { readSamples } from '../../../src/formats/webdataset.ts';
import { findModel } from '../../../src/models/find-model.ts';
import { packagedModelFolder } from '../../../src/models/registry.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { requirePython } from '../../python.ts';
import { emojiSamples, writeSamplesShard } from '../emoji-samples.ts';
import { runOneStage } from '../run-one-stage.ts';

let run: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'filter-'));
  await writeSamplesShard(join(run, 'samples'), '00007', emojiSamples);
});
afterEach(() => rm(run, { recursive: true, force: true }));
afterAll(() => filter.close!());

const rowsOf = async <Row>(path: string): Promise<Row[]> => Array.fromAsync(readParquet<Row>(path));

describe('filter', () => {
  test('keeps right captions, drops wrong ones and broken pictures, each under its reason', async () => {
    const { summary } = await runOneStage(filter, run, { model: 'mini' });
    expect(summary).toMatchObject({ in: 8, out: 5, dropped: { similarity: 2, 'decode-failed': 1 } });
    const rows = await rowsOf<Pair>(join(run, 'pairs/00007.parquet'));
    expect(rows.map(({ caption }) => caption)).toEqual(['dog face', 'Katzengesicht', 'apple', 'red heart', 'Fahrrad']);
    const { thresholds } = await findModel('mini');
    for (const row of rows) {
      expect(row.similarity).toBeGreaterThan(thresholds.en);
      expect(row.NSFW).toBeNull();
    }
    expect(rows[0]!.record_offset).toBe(2n ** 53n);
    const rejects = await rowsOf<Reject>(join(run, 'rejects/filter/00007.parquet'));
    expect(rejects.map(({ text, reason, threshold }) => [text, reason, threshold])).toEqual([
      ['flag of Japan', 'similarity', String(thresholds.en)],
      ['gato', 'similarity', String(thresholds.multi)],
      ['not a picture', 'decode-failed', null],
    ]);
    expect(Number(rejects[0]!.value)).toBeLessThan(thresholds.en);
  });

  test('the tar holds the same pictures and texts; json gains similarity and keeps its 64-bit numbers', async () => {
    await runOneStage(filter, run, { model: 'mini' });
    const before = new Map((await Array.fromAsync(readSamples(join(run, 'samples/00007.tar')))).map((sample) => [sample.key, sample.members]));
    const rows = await rowsOf<Pair>(join(run, 'pairs/00007.parquet'));
    const after = await Array.fromAsync(readSamples(join(run, 'pairs/00007.tar')));
    expect(after.map(({ key }) => key)).toEqual(rows.map(({ key }) => key));
    for (const [i, { key, members }] of after.entries()) {
      expect([...members.keys()]).toEqual(['jpg', 'json', 'txt']);
      for (const suffix of ['jpg', 'txt']) expect(Buffer.compare(members.get(suffix)!, before.get(key)!.get(suffix)!)).toBe(0);
      const text = Buffer.from(members.get('json')!).toString('utf8');
      expect(text).toContain(`"hash": ${rows[i]!.hash},`);
      expect(text).toContain(`"record_offset": ${rows[i]!.record_offset},`);
      expect(text.endsWith(`    "similarity": ${rows[i]!.similarity},\n    "NSFW": null\n}`)).toBe(true);
    }
  });

  test('the same samples give the same bytes, whatever the batches', async () => {
    const files = ['pairs/00007.tar', 'pairs/00007.parquet'];
    await runOneStage(filter, run, { model: 'mini' });
    const first = await Promise.all(files.map((file) => readFile(join(run, file))));
    await runOneStage(filter, run, { model: 'mini', batchSize: 2 }, { redo: true });
    for (const [i, file] of files.entries()) expect((await readFile(join(run, file))).equals(first[i]!), file).toBe(true);
  });

  test('thresholds can be given by set, and decide the result', async () => {
    await runOneStage(filter, run, { model: 'mini', thresholdEn: -1, thresholdMulti: 1 });
    expect((await rowsOf<Pair>(join(run, 'pairs/00007.parquet'))).map(({ caption }) => caption)).toEqual(['dog face', 'apple', 'red heart', 'flag of Japan']);
    await expect(runOneStage(filter, run, { model: 'mini' })).rejects.toThrow(/--threshold-en was -1, is nothing/);
  });

  test('a second model judges the other languages, with its own thresholds', async () => {
    const second = join(run, 'second');
    await cp(packagedModelFolder('mini')!, second, { recursive: true });
    const config = JSON.parse(await readFile(join(second, 'config.json'), 'utf8')) as { pairmill: object };
    config.pairmill = { threshold: { en: -1, multi: 1, nolang: -1 } };
    await writeFile(join(second, 'config.json'), JSON.stringify(config));
    const { summary, shards } = await runOneStage(filter, run, { model: 'mini', multilingualModel: second });
    expect(summary.dropped).toEqual({ similarity: 4, 'decode-failed': 1 });
    expect((await rowsOf<Pair>(join(run, 'pairs/00007.parquet'))).map(({ caption }) => caption)).toEqual(['dog face', 'apple', 'red heart']);
    expect(Object.keys(shards[0]!.made_by.models)).toEqual(
      ['mini', 'second'].flatMap((id) => ['vision_model.onnx', 'text_model.onnx', 'tokenizer.json'].map((file) => `${id}/${file}`)),
    );
  });

  test("a shard of img2dataset's, with no columns of ours", async (context) => {
    const python = requirePython(context, 'pyarrow');
    python(
      `import sys, pyarrow.parquet as pq
t = pq.read_table(sys.argv[1]).select(["caption", "url", "key", "status", "error_message", "width", "height", "original_width", "original_height", "exif", "sha256"])
pq.write_table(t, sys.argv[1])`,
      [join(run, 'samples/00007.parquet')],
    );
    const { summary } = await runOneStage(filter, run, { model: 'mini' });
    expect(summary.in).toBe(8);
    expect(summary.out).toBeGreaterThanOrEqual(5);
    expect((await rowsOf<Pair>(join(run, 'pairs/00007.parquet')))[0]).toMatchObject({ language: '', caption: 'dog face' });
  });

  test('a cut tar fails the shard with its name', async () => {
    const path = join(run, 'samples/00007.tar');
    await writeFile(path, (await readFile(path)).subarray(0, 9000));
    const { failed } = await runOneStage(filter, run, { model: 'mini' }, { mayFail: true });
    expect(failed).toMatchObject([{ shard: '00007', message: expect.stringMatching(/00007\.tar/) as string }]);
  });
});
