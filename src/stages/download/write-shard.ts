import type { DropReason } from '../../contracts/drop-reason.ts';
import { Sample, withFurtherColumns } from '../../contracts/records.ts';
import { sampleKey } from '../../contracts/sample-key.ts';
import type { Effects, ShardResult } from '../../contracts/stage.ts';
import { floatColumns, sampleJson } from '../../formats/sample-json.ts';
import { fetchSample, type SampleFetcher, type SampleOutcome } from './fetch-sample.ts';
import { orderedTasks } from './ordered-tasks.ts';
import type { DownloadLink, Links } from './read-links.ts';
import { sampleStatus } from './sample-status.ts';

/**
 * Downloads the links of one shard and writes `NNNNN.tar` with the successes and `NNNNN.parquet` with a row for
 * each link, both in the order of the links, whatever the order of the answers.
 */
export async function writeShard(
  name: string,
  { links, further, size }: Links & { size: number },
  fetcher: SampleFetcher,
  effects: Effects<'download'>,
): Promise<ShardResult> {
  const { options } = fetcher;
  const counts = { success: 0, failed_to_download: 0, failed_to_resize: 0 };
  const messages = new Map<string, number>();
  const seen = new Set<bigint>();
  const repeated = links.map(({ hash }) => seen.size === seen.add(hash).size);

  // Where requests go decides the answers too.
  const journal = await effects.journal<SampleOutcome>([options.connectTo, options.allowAddress]);

  const outcomes = orderedTasks(
    links,
    async (link, index): Promise<SampleOutcome> => {
      if (repeated[index]) return { reason: 'duplicate', value: String(link.hash), threshold: null };
      const known = await journal.recall(index);
      if (known) return known;
      const outcome = await fetchSample(link, fetcher);
      // What is handed over shall not be on a disk before it is judged.
      if (isWorthNoting(outcome) && !(effects.handOver && 'picture' in outcome)) await journal.note(index, outcome);
      return outcome;
    },
    {
      concurrency: options.concurrency,
      maxBytes: options.maxBufferedBytes,
      bytesOf: (outcome) => ('picture' in outcome ? outcome.picture.bytes.byteLength : 0),
    },
  );

  const schema = withFurtherColumns(Sample, further, 'first');
  const floats = floatColumns(schema);
  const tar = await effects.files.samples(`${name}.tar`);
  const parquet = await effects.files.parquet(`${name}.parquet`, schema);
  const receiver = await effects.handOver?.(schema);
  let index = 0;
  for await (const outcome of outcomes) {
    const link = links[index]!;
    const sample = { ...link.further, ...sampleOf(link, sampleKey(name, index, size), outcome) };
    index++;
    if ('picture' in outcome) {
      const packed = members(sample, outcome.picture.bytes, options.encodeFormat, floats);
      await tar.write(sample.key, packed);
      await receiver?.take({ row: sample, members: packed });
    } else effects.drop(outcome.reason, { hash: link.hash, url: link.url, text: link.text, value: outcome.value, threshold: outcome.threshold });
    await parquet.write(sample);
    counts[sample.status]++;
    const message = sample.error_message ?? 'success';
    messages.set(message, (messages.get(message) ?? 0) + 1);
    effects.progress({ in: 1, out: 'picture' in outcome ? 1 : 0 });
  }
  const { success, ...failed } = counts;
  return {
    in: links.length,
    out: [tar],
    // img2dataset's keys (logger.py write_stats); the most frequent message first.
    extra: {
      count: links.length,
      successes: success,
      ...failed,
      status_dict: Object.fromEntries([...messages].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))),
    },
  };
}

/** Failures that may pass are tried again by the next try of the shard, as are those that no request for the picture was made for. */
const NOT_NOTED: ReadonlySet<DropReason<'download'>> = new Set([
  'dns-failed',
  'connection-failed',
  'timeout',
  'http-server-error',
  'http-too-many-requests',
  'private-address',
  'robots-txt',
  'url-invalid',
]);

function isWorthNoting(outcome: SampleOutcome): boolean {
  return 'picture' in outcome || !NOT_NOTED.has(outcome.reason);
}

function sampleOf({ url, text, language, licence, hash, uid, page_url, crawl_file, record_offset }: DownloadLink, key: string, outcome: SampleOutcome): Sample {
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
function members(sample: Sample, picture: Uint8Array, format: string, floats: ReadonlySet<string>): [string, Uint8Array][] {
  const all: [string, Uint8Array][] = [
    [format, picture],
    ['json', sampleJson(sample, floats)],
    ['txt', Buffer.from(sample.caption)],
  ];
  return all.sort(([a], [b]) => (a < b ? -1 : 1));
}
