import type { DropReason } from '../../contracts/drop-reason.ts';
import { type Sample, withFurtherColumns } from '../../contracts/records.ts';
import { sampleKey } from '../../contracts/sample-key.ts';
import type { Effects, ShardResult } from '../../contracts/stage.ts';
import { fetchSample, type SampleFetcher, type SampleOutcome } from './fetch-sample.ts';
import type { DownloadOptions } from './options.ts';
import { orderedTasks } from './ordered-tasks.ts';
import type { DownloadLink, Links } from './read-links.ts';
import { openSampleOutput } from './sample-output.ts';
import { sampleSchema } from './sample-schema.ts';
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
  const repeated = links.map(({ hash }) => {
    const isRepeated = seen.has(hash);
    seen.add(hash);
    return isRepeated;
  });

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

  const schema = withFurtherColumns(sampleSchema(options), further, 'first');
  const output = await openSampleOutput(name, schema, options, effects.files);
  const receiver = await effects.handOver?.(schema);
  let index = 0;
  for await (const outcome of outcomes) {
    const link = links[index]!;
    const sample = { ...link.further, ...sampleOf(link, sampleKey(name, index, size), outcome, options) };
    index++;
    if (!('picture' in outcome))
      effects.drop(outcome.reason, {
        hash: link.hash,
        // Rejects must not become a list of what is blocked.
        ...(outcome.reason.startsWith('blocklisted-') ? { url: '', text: null } : { url: link.url, text: link.text }),
        value: outcome.value,
        threshold: outcome.threshold,
      });
    const members = await output.write(sample, 'picture' in outcome ? outcome.picture.bytes : undefined);
    if (members) await receiver?.take({ row: sample, members });
    counts[sample.status]++;
    const message = sample.error_message ?? 'success';
    messages.set(message, (messages.get(message) ?? 0) + 1);
    effects.progress({ in: 1, out: 'picture' in outcome ? 1 : 0 });
  }
  const { success, ...failed } = counts;
  return {
    in: links.length,
    out: output.out(),
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

function sampleOf(
  { url, text, language, licence, hash, uid, page_url, crawl_file, record_offset }: DownloadLink,
  key: string,
  outcome: SampleOutcome,
  { extractExif, computeHash, phash }: DownloadOptions,
): Omit<Sample, 'exif' | 'sha256'> {
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
    ...(extractExif && { exif: picture?.exif ?? null }),
    ...(computeHash !== 'none' && { [computeHash]: packed ? outcome.hash : null }),
    ...(phash && { phash: picture?.phash ?? null }),
  };
}
