import { join } from 'node:path';
import { ShardError } from '../../contracts/errors.ts';
import { Sample } from '../../contracts/records.ts';
import type { Effects, ShardResult } from '../../contracts/stage.ts';
import { ParquetFileWriter } from '../../formats/parquet.ts';
import { indexTar, SampleWriter } from '../../formats/webdataset.ts';
import { publish } from '../../runtime/publication.ts';
import { fetchSample, type SampleFetcher, type SampleOutcome } from './fetch-sample.ts';
import type { LinkRow } from './link-row.ts';
import { orderedTasks } from './ordered-tasks.ts';
import { sampleJson } from './sample-json.ts';
import { sampleStatus } from './sample-status.ts';

/**
 * Downloads the links of one shard and publishes `NNNNN.tar` with the successes and `NNNNN.parquet` with a row for
 * each link, both in the order of the links, whatever the order of the answers.
 */
export async function writeShard(
  name: string,
  links: readonly LinkRow[],
  output: string,
  fetcher: SampleFetcher,
  effects: Effects<'download'>,
): Promise<ShardResult> {
  const { options } = fetcher;
  const counts = { success: 0, failed_to_download: 0, failed_to_resize: 0 };
  const messages = new Map<string, number>();
  const seen = new Set<bigint>();
  const repeated = links.map(({ hash }) => seen.size === seen.add(hash).size);

  const outcomes = orderedTasks(
    links,
    async (link, index): Promise<SampleOutcome> => {
      if (repeated[index]) return { reason: 'duplicate', value: String(link.hash), threshold: null };
      return fetchSample(link, fetcher);
    },
    {
      concurrency: options.concurrency,
      maxBytes: options.maxBufferedBytes,
      bytesOf: (outcome) => ('picture' in outcome ? outcome.picture.bytes.byteLength : 0),
    },
  );

  return publish(effects, async (publication) => {
    const [tarPath, parquetPath] = [await publication.file(join(output, `${name}.tar`)), await publication.file(join(output, `${name}.parquet`))];
    const tar = await SampleWriter.open(tarPath);
    const parquet = await ParquetFileWriter.open(parquetPath, Sample);
    try {
      let index = 0;
      for await (const outcome of outcomes) {
        const link = links[index]!;
        const sample = sampleOf(link, sampleKey(name, index, options.numberSamplePerShard), outcome);
        index++;
        if ('picture' in outcome) await tar.write(sample.key, members(sample, outcome.picture.bytes, options.encodeFormat));
        else effects.drop(outcome.reason, { hash: link.hash, url: link.url, text: link.text, value: outcome.value, threshold: outcome.threshold });
        await parquet.write(sample);
        counts[sample.status]++;
        const message = sample.error_message ?? 'success';
        messages.set(message, (messages.get(message) ?? 0) + 1);
        effects.progress({ in: 1, out: 'picture' in outcome ? 1 : 0 });
      }
      await tar.close();
      await parquet.close();
    } catch (error) {
      await Promise.allSettled([tar.abort(), parquet.abort()]);
      throw error;
    }
    const out = await countSamples(tarPath);
    if (out !== counts.success)
      throw new ShardError(`download ${name}: ${counts.success} samples were packed, but the tar holds ${out}. Check the disk of ${output}.`);
    const { success, ...failed } = counts;
    return {
      in: links.length,
      out,
      // img2dataset's keys (logger.py write_stats); the most frequent message first.
      extra: {
        count: links.length,
        successes: success,
        ...failed,
        status_dict: Object.fromEntries([...messages].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))),
      },
    };
  });
}

/** img2dataset's key: shard, then index; nine digits for shards of up to 10,000 samples and shard numbers up to 99,999. */
function sampleKey(shard: string, index: number, samplesPerShard: number): string {
  return shard + String(index).padStart(Math.max(4, Math.ceil(Math.log10(samplesPerShard))), '0');
}

function sampleOf({ url, text, language, licence, hash, uid, page_url, crawl_file, record_offset }: LinkRow, key: string, outcome: SampleOutcome): Sample {
  const packed = 'picture' in outcome;
  const picture = packed ? outcome.picture : undefined;
  return {
    language,
    licence,
    hash,
    uid,
    page_url,
    crawl_file,
    record_offset,
    caption: text,
    url,
    key,
    ...(packed ? { status: 'success', error_message: null } : sampleStatus(outcome.reason, outcome.value)),
    width: picture?.width ?? null,
    height: picture?.height ?? null,
    original_width: picture?.originalWidth ?? null,
    original_height: picture?.originalHeight ?? null,
    exif: picture?.exif ?? null,
    sha256: packed ? outcome.sha256 : null,
  };
}

/** Sorted by suffix, as webdataset's writer does. */
function members(sample: Sample, picture: Uint8Array, format: string): [string, Uint8Array][] {
  const all: [string, Uint8Array][] = [
    [format, picture],
    ['json', sampleJson(sample)],
    ['txt', Buffer.from(sample.caption)],
  ];
  return all.sort(([a], [b]) => (a < b ? -1 : 1));
}

async function countSamples(tar: string): Promise<number> {
  let samples = 0;
  for (const name of (await indexTar(tar)).keys()) if (name.endsWith('.json')) samples++;
  return samples;
}
