import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Sample } from '../../src/contracts/records.ts';
import { readParquet } from '../../src/formats/parquet.ts';
import { writeParquet } from '../../src/formats/parquet-writer.ts';
import { sampleHash, sampleUid } from '../../src/formats/sample-hash.ts';
import { furtherSampleColumns, readSampleShard, type SampleShardFiles, type ShardSample } from '../../src/formats/sample-shard.ts';
import { SampleWriter } from '../../src/formats/webdataset.ts';
import { emojiSamples, writeSamplesShard } from '../stages/emoji-samples.ts';

let folder: string;
let rows: Sample[];
let files: SampleShardFiles;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sample-shard-'));
  rows = await writeSamplesShard(folder, '00000', emojiSamples);
  files = { tar: join(folder, '00000.tar'), rows: join(folder, '00000.parquet') };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const read = (): Promise<ShardSample[]> => Array.fromAsync(readSampleShard(files));

describe('a shard of samples', () => {
  test('rows of successes with their pictures, in the order of the tar', async () => {
    const samples = await read();
    expect(samples.map(({ row }) => row)).toEqual(rows.filter(({ status }) => status === 'success'));
    for (const { key, row, pictureSuffix, picture } of samples) {
      expect([key, pictureSuffix]).toEqual([row.key, 'jpg']);
      expect(picture.length).toBeGreaterThan(10);
    }
  });

  test('without a Parquet file the json members give the same rows, 64-bit numbers included', async () => {
    files.rows = undefined;
    expect((await read()).map(({ row }) => row)).toEqual(rows.filter(({ status }) => status === 'success'));
  });

  test('a tar of pictures and texts only', async () => {
    files.rows = undefined;
    const tar = await SampleWriter.open(join(folder, '00000.tar'));
    await tar.write('a/b', [
      ['png', Uint8Array.of(1)],
      ['txt', Buffer.from('eine Katze')],
    ]);
    await tar.close();
    expect((await read())[0]!.row).toMatchObject({
      key: 'a/b',
      url: 'a/b',
      caption: 'eine Katze',
      language: '',
      hash: sampleHash('a/b', 'eine Katze'),
      uid: sampleUid('a/b', 'eine Katze'),
      record_offset: null,
      width: null,
    });
  });

  test("the json members may hold Python's NaN; one that is no JSON is named", async () => {
    files.rows = undefined;
    const write = async (json: string): Promise<void> => {
      const tar = await SampleWriter.open(files.tar);
      await tar.write('0', [
        ['png', Uint8Array.of(1)],
        ['json', Buffer.from(json)],
      ]);
      await tar.close();
    };
    await write('{"url": "https://a.test/1", "caption": "one", "punsafe": NaN}');
    expect((await read())[0]).toMatchObject({ row: { url: 'https://a.test/1', caption: 'one' }, raw: { punsafe: null } });
    await write('{"url": ');
    await expect(read()).rejects.toThrow(/00000\.tar: the json of the sample 0 can't be read: .* Make the shard again/);
  });

  test("further columns are those of others, without LAION's names for ours", async () => {
    const laion = z.object({ URL: z.string(), TEXT: z.string(), LICENSE: z.string().nullable(), punsafe: z.number().nullable(), key: z.string() });
    await writeParquet(files.rows!, laion, [{ URL: 'https://a.test/1', TEXT: 'one', LICENSE: '?', punsafe: 0.5, key: '0' }]);
    expect(Object.keys(await furtherSampleColumns(files.rows, Sample))).toEqual(['punsafe']);
    expect(await furtherSampleColumns(undefined, Sample)).toEqual({});
  });

  test('a tar and a Parquet file that do not belong together', async () => {
    const path = join(folder, '00000.parquet');
    const all = await Array.fromAsync(readParquet<Sample>(path));
    await writeParquet(path, Sample, all.slice(1));
    await expect(read()).rejects.toThrow(/00000\.tar holds the sample 000000000, which 00000\.parquet does not list/);
    await writeParquet(path, Sample, [...all, { ...all[0]!, key: '000009999' }]);
    await expect(read()).rejects.toThrow(/holds 8 samples where 00000\.parquet lists 9 successes/);
    const tar = await SampleWriter.open(join(folder, '00000.tar'));
    await tar.write('000000000', [['txt', Uint8Array.of(1)]]);
    await tar.close();
    await expect(read()).rejects.toThrow(/sample 000000000 has no picture .*only txt/);
  });
});
