import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Sample } from '../../src/contracts/records.ts';
import { readParquet, writeParquet } from '../../src/formats/parquet.ts';
import { sampleHash } from '../../src/formats/sample-hash.ts';
import { readSampleShard, type ShardSample } from '../../src/formats/sample-shard.ts';
import { SampleWriter } from '../../src/formats/webdataset.ts';
import { emojiSamples, writeSamplesShard } from '../stages/emoji-samples.ts';

let folder: string;
let rows: Sample[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sample-shard-'));
  rows = await writeSamplesShard(folder, '00000', emojiSamples);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const read = (): Promise<ShardSample[]> => Array.fromAsync(readSampleShard(folder, '00000'));

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
    await rm(join(folder, '00000.parquet'));
    expect((await read()).map(({ row }) => row)).toEqual(rows.filter(({ status }) => status === 'success'));
  });

  test('a tar of pictures and texts only', async () => {
    await rm(join(folder, '00000.parquet'));
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
      width: null,
    });
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
