import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Pair, type Reject } from '../../../src/contracts/records.ts';
import type { Plan } from '../../../src/contracts/stage.ts';
import { parquetColumns, readParquet } from '../../../src/formats/parquet.ts';
import { readSamples, SampleWriter } from '../../../src/formats/webdataset.ts';
import { findModel } from '../../../src/models/find-model.ts';
import { packagedModelFolder } from '../../../src/models/registry.ts';
import { blockedReason } from '../../../src/stages/filter/blocked-sample.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { Blocklist } from '../../../src/sources/blocklist.ts';
import { requirePython } from '../../python.ts';
import { emojiSamples, type OwnColumns, ownColumns, writeSamplesShard } from '../emoji-samples.ts';
import { runOneStage } from '../run-one-stage.ts';

let run: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'filter-'));
  await writeSamplesShard(join(run, 'samples'), '00007', emojiSamples);
});
afterEach(() => rm(run, { recursive: true, force: true }));

const rowsOf = async <Row>(path: string): Promise<Row[]> => Array.fromAsync(readParquet<Row>(path));

describe('filter', () => {
  test('keeps right captions, drops wrong ones and broken pictures, each under its reason', async () => {
    const { summary } = await runOneStage(filter, run, { model: 'mini' });
    expect(summary).toMatchObject({ in: 8, out: 5, dropped: { similarity: 2, 'decode-failed': 1 } });
    const rows = await rowsOf<Pair>(join(run, 'pairs/00007.parquet'));
    expect(rows.map(({ caption }) => caption)).toEqual(['dog face', 'Katzengesicht', 'apple', 'red heart', 'Fahrrad']);
    const thresholds = (await findModel('mini')).thresholds!;
    for (const row of rows) {
      expect(row.similarity).toBeGreaterThan(thresholds.en);
      expect(row.NSFW).toBeNull();
    }
    expect(rows.map(({ record_offset: offset }) => offset)).toEqual([2n ** 53n, null, 2n ** 53n + 2n, 2n ** 53n + 3n, 2n ** 53n + 8n]);
    const rejects = await rowsOf<Reject>(join(run, 'rejects/filter/00007.parquet'));
    expect(rejects.map(({ text, reason, threshold }) => [text, reason, threshold])).toEqual([
      ['flag of Japan', 'similarity', String(thresholds.en)],
      ['gato', 'similarity', String(thresholds.multi)],
      ['not a picture', 'decode-failed', null],
    ]);
    expect(Number(rejects[0]!.value)).toBeLessThan(thresholds.en);
  });

  test('--blocklist: what a list names is no pair, and rejects do not say where it is; another list needs a redo', async () => {
    await runOneStage(filter, run, { model: 'mini' });
    const [dog, cat] = await rowsOf<Pair>(join(run, 'pairs/00007.parquet'));
    const blocklist = join(run, 'bad.txt');
    await writeFile(blocklist, `${dog!.url}\n`);
    const options = { model: 'mini', blocklist: [blocklist] };
    await expect(runOneStage(filter, run, options)).rejects.toThrow(/blocklist bad\.txt was nothing.*--redo filter/s);
    const { summary } = await runOneStage(filter, run, options, { redo: true });
    expect(summary).toMatchObject({ in: 8, out: 4, dropped: { 'blocklisted-url': 1 } });
    expect((await rowsOf<Pair>(join(run, 'pairs/00007.parquet')))[0]).toMatchObject({ caption: cat!.caption });
    expect((await Array.fromAsync(readSamples(join(run, 'pairs/00007.tar')))).map(({ key }) => key)).not.toContain(dog!.key);
    const blocked = (await rowsOf<Reject>(join(run, 'rejects/filter/00007.parquet'))).find(({ reason }) => reason === 'blocklisted-url');
    expect(blocked).toMatchObject({ hash: dog!.hash, url: '', text: null });
  });

  test('a blocklist finds a sample by the hashes that its row holds, and by what it looks like', async () => {
    const path = join(run, 'list.txt');
    await writeFile(path, `${'a'.repeat(64)}\n0123456789abcdef\n`);
    const list = await Blocklist.read([path], 2);
    const reasonOf = (raw: Record<string, unknown>) => blockedReason({ row: { url: 'http://a.test/' } as Pair, raw }, list);
    expect(reasonOf({ sha256: 'A'.repeat(64) })).toEqual({ reason: 'blocklisted-file', value: 'sha256' });
    expect(reasonOf({ phash: '0123456789abcdee' })).toEqual({ reason: 'blocklisted-picture', value: '1' });
    expect(reasonOf({ phash: '0123456789abcde0', sha256: 'b'.repeat(64), md5: 'no hash' })).toBeUndefined();
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

  test("columns of the user's own reach the rows and the json, and a new similarity takes the place of an old one", async () => {
    const types = { ...ownColumns.types, similarity: z.number() };
    const own: OwnColumns = { types, values: (sample, i) => ({ ...ownColumns.values(sample, i), similarity: 0.125 }) };
    const samples = await writeSamplesShard(join(run, 'samples'), '00007', emojiSamples, own);
    await runOneStage(filter, run, { model: 'mini' });
    const path = join(run, 'pairs/00007.parquet');
    expect(await parquetColumns(path)).toEqual([...Object.keys(ownColumns.types), ...Object.keys(Pair.shape)]);
    const rows = await rowsOf<Pair & Record<string, unknown>>(path);
    const bySource = new Map(samples.map((sample) => [sample.key, sample as Record<string, unknown>]));
    for (const row of rows) {
      for (const column of Object.keys(ownColumns.types)) expect(row[column]).toEqual(bySource.get(row.key)![column]);
      expect(row.similarity).not.toBe(0.125);
    }
    const [, , third] = await Array.fromAsync(readSamples(join(run, 'pairs/00007.tar')));
    const json = Buffer.from(third!.members.get('json')!).toString('utf8');
    expect(json.split('\n').slice(1, 6)).toEqual([
      '    "source": "source apple",',
      '    "words": 1,',
      '    "confidence": 1.0,',
      `    "id64": ${2n ** 60n + 2n},`,
      `    "similarity": ${rows[2]!.similarity},`,
    ]);
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

  test('--threshold is for all sets, and that of a set wins over it', async () => {
    const { summary } = await runOneStage(filter, run, { model: 'mini', threshold: 1 });
    expect(summary.out).toBe(0);
    const redone = await runOneStage(filter, run, { model: 'mini', threshold: 1, thresholdEn: -1, thresholdMulti: -1, thresholdNolang: -1 }, { redo: true });
    expect(redone.summary.dropped).toEqual({ 'decode-failed': 1 });
  });

  test('a second model judges the other languages, with its own thresholds', async () => {
    const second = join(run, 'second');
    await cp(packagedModelFolder('mini')!, second, { recursive: true });
    const config = JSON.parse(await readFile(join(second, 'config.json'), 'utf8')) as { pairmill: object };
    config.pairmill = { threshold: { en: -1, multi: 1, nolang: -1 } };
    await writeFile(join(second, 'config.json'), JSON.stringify(config));
    await rm(join(second, 'checksums.json'));
    const { summary, shards } = await runOneStage(filter, run, { model: 'mini', multilingualModel: second });
    expect(summary.dropped).toEqual({ similarity: 4, 'decode-failed': 1 });
    expect((await rowsOf<Pair>(join(run, 'pairs/00007.parquet'))).map(({ caption }) => caption)).toEqual(['dog face', 'apple', 'red heart']);
    const files = ['vision_model.onnx', 'text_model.onnx', 'tokenizer.json'];
    // The settings of a folder decide what its model gives, and its thresholds.
    const ofFolder = ['config.json', 'preprocessor_config.json', ...files];
    expect(Object.keys(shards[0]!.made_by.models)).toEqual([...files.map((file) => `mini/${file}`), ...ofFolder.map((file) => `second/${file}`)]);
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
    expect((await rowsOf<Pair>(join(run, 'pairs/00007.parquet')))[0]).toMatchObject({ language: '', caption: 'dog face', record_offset: null });
  });

  test('a json that is none fails the shard and names the sample', async () => {
    const path = join(run, 'samples/00007.tar');
    const samples = await Array.fromAsync(readSamples(path));
    const tar = await SampleWriter.open(path);
    for (const { key, members } of samples) await tar.write(key, [...members.set('json', Buffer.from('{"url": '))]);
    await tar.close();
    const { failed } = await runOneStage(filter, run, { model: 'mini' }, { mayFail: true });
    expect(failed).toMatchObject([{ shard: '00007', message: expect.stringMatching(/the json of the sample 000070000 can't be read/) as string }]);
    expect(await readdir(join(run, 'pairs'))).not.toContain('00007.tar');
  });

  test('plans a shard for each that samples has, and is complete when samples is sealed', async () => {
    const samples = [
      { name: '00003', digest: 'd3', files: [] },
      { name: '00007', digest: 'd7', files: [] },
    ];
    const plan = (sealed: boolean): Plan | Promise<Plan> =>
      filter.plan({
        options: filter.options.parse({}),
        input: undefined,
        datasets: { samples: { shards: samples, sealed } },
        own: { shards: [], sealed: false },
        recorded: new Map(),
        environment: {},
        runLocation: run,
      });
    const shards = [
      { name: '00003', work: {}, inputs: [{ name: 'samples/00003', digest: 'd3' }] },
      { name: '00007', work: {}, inputs: [{ name: 'samples/00007', digest: 'd7' }] },
    ];
    expect(await plan(false)).toEqual({ shards, complete: false });
    expect(await plan(true)).toEqual({ shards, complete: true });
  });

  test('a cut tar fails the shard with its name', async () => {
    const path = join(run, 'samples/00007.tar');
    await writeFile(path, (await readFile(path)).subarray(0, 9000));
    const { failed } = await runOneStage(filter, run, { model: 'mini' }, { mayFail: true });
    expect(failed).toMatchObject([{ shard: '00007', message: expect.stringMatching(/00007\.tar/) as string }]);
  });
});
