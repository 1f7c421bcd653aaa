import { UsageError } from '../../contracts/errors.ts';
import type { Stage, StageFolders } from '../../contracts/stage.ts';
import { ConcurrencyLimit } from '../../net/concurrency-limit.ts';
import { parseConnectTo } from '../../net/connect-to.ts';
import { PoliteClient } from '../../net/polite-client.ts';
import { ROBOTS_TOKEN, userAgent } from '../../net/user-agent.ts';
import type { BatchSource } from './batch-source.ts';
import { DatabaseBatches } from './database-batches.ts';
import { type DownloadOptions, downloadOptions } from './options.ts';
import { ParquetBatches } from './parquet-batches.ts';

/** One client a worker thread: its DNS, robots.txt and connections serve all shards of the same options. */
let shared: { settings: string; client: PoliteClient } | undefined;

/**
 * Downloads batches of links, checks and resizes the pictures, and packs them as img2dataset does. Links come from
 * the database, or from Parquet where `--input` names some.
 */
export const download: Stage<'download', typeof downloadOptions> = {
  name: 'download',
  does: 'Downloads the pictures of the links politely, resizes them and packs them with their texts.',
  reads: 'ingest',
  writes: 'samples',
  usesDatabase: 'without-input',
  unit: 'samples',
  format: 1,
  options: downloadOptions,
  plan({ options, folders }, effects) {
    checkOptions(options);
    return batchSource(folders, options).plan(effects.reached);
  },
  async run(shard, { options, folders }, effects) {
    checkOptions(options);
    const links = await batchSource(folders, options).read(shard);
    // Loaded here: every worker thread has this file, few need the codecs.
    const { default: sharp } = await import('sharp');
    const { writeShard } = await import('./write-shard.ts');
    // One thread a picture: the pictures run side by side. No cache: no picture comes twice.
    sharp.concurrency(1);
    sharp.cache(false);
    const fetcher = { client: clientFor(options), decoding: new ConcurrencyLimit(options.decodeConcurrency), options, signal: effects.signal };
    return writeShard(shard.name, links, folders.output, fetcher, effects);
  },
  async finished(shard, { options, folders }) {
    await batchSource(folders, options).finished(shard);
  },
  async close() {
    shared?.client.close();
    shared = undefined;
  },
};

/** The database, unless --input names something else than the folder of ingest. */
function batchSource({ database, input, output, stages }: StageFolders, options: DownloadOptions): BatchSource {
  const fromDatabase = database !== undefined && (stages.ingest === undefined || stages.ingest === input);
  return fromDatabase ? new DatabaseBatches(database, output, options.numberSamplePerShard) : new ParquetBatches(input, options);
}

function clientFor(options: DownloadOptions): PoliteClient {
  const settings = JSON.stringify(options);
  if (shared?.settings !== settings) {
    shared?.client.close();
    shared = { settings, client: makeClient(options) };
  }
  return shared.client;
}

function makeClient(options: DownloadOptions): PoliteClient {
  return new PoliteClient({
    userAgent: userAgent(options.contact),
    robotsToken: ROBOTS_TOKEN,
    timeoutMs: options.timeout * 1000,
    maxBytes: options.maxBytes,
    maxRedirects: options.maxRedirects,
    hostConcurrency: options.hostConcurrency,
    connectTo: options.connectTo.map(parseConnectTo),
    obeyRobots: options.robotsTxt,
    disallowedDirectives: options.disallowedHeaderDirectives,
    obeyTdmReservation: options.tdmReservation,
    ignoreCertificates: options.ignoreSslCertificate,
    accept: 'image/jpeg, image/png, image/webp, */*;q=0.1',
  });
}

function checkOptions({ encodeFormat, encodeQuality, connectTo }: DownloadOptions): void {
  if (encodeFormat === 'png' && encodeQuality > 9)
    throw new UsageError(`--encode-quality is ${encodeQuality}, but for png it is the compression, 0 to 9. Give one, such as 6.`);
  connectTo.map(parseConnectTo);
}
