import { itemsOf } from '../../contracts/dataset.ts';
import { UsageError } from '../../contracts/errors.ts';
import type { RunContext, Stage } from '../../contracts/stage.ts';
import { parseAllowedAddresses } from '../../net/allowed-addresses.ts';
import { parseConnectTo } from '../../net/connect-to.ts';
import { PoliteClient } from '../../net/polite-client.ts';
import { ROBOTS_TOKEN, userAgent } from '../../net/user-agent.ts';
import { blocklistChecksums, residentBlocklist } from '../../sources/blocklist.ts';
import { assertContact, checkContact, contactWarning } from './contact.ts';
import { DownloadWork, isChosen, planBatches, planLists } from './download-work.ts';
import { type DownloadOptions, downloadOptions } from './options.ts';
import { PictureThread } from './picture-thread.ts';
import { planRetries } from './plan-retries.ts';
import { hashType, type Links, readLinks } from './read-links.ts';
import { type RetriedLinks, readRetried } from './read-retried.ts';
import { writeShard } from './write-shard.ts';

/**
 * Downloads links, checks and resizes the pictures, and packs them as img2dataset does. Links come in batches/ that were drawn, or
 * in lists/ that are cut into shards in their order.
 */
export const download: Stage<'download', typeof downloadOptions, DownloadWork> = {
  name: 'download',
  does: 'Downloads the pictures of the links politely, resizes them and packs them with their texts.',
  reads: [
    { dataset: 'batches', optional: true },
    { dataset: 'lists', optional: true },
  ],
  writes: 'samples',
  unit: 'links',
  format: 5,
  options: downloadOptions,
  work: DownloadWork,
  records: true,
  isChosen,
  retries: true,
  handsOver: true,
  // Links die.
  irreplaceable: true,
  threads: 'io',
  check: checkOptions,
  announce: contactWarning,
  models: blocklistChecksums,
  plan(context) {
    const { options, recorded, own } = context;
    const { batches, lists } = context.datasets;
    if (batches?.shards.length && lists?.shards.length)
      throw new UsageError('download finds batches/ and lists/ in the run: it is not clear which to read. Name one of the two folders with --input.');
    const links = batches?.shards.length ? batches : (lists ?? batches);
    if (!links) throw new UsageError('download has no links. Give a list (Parquet, csv, txt, json …) with --input, or a run folder that has batches/.');
    const plan = planRetries(links === lists ? planLists(lists, recorded, options.numberSamplePerShard) : planBatches(links, recorded), context);
    // A run that has nothing left to ask for needs no contact.
    const finished = new Set(own.shards.map(({ name }) => name));
    if (plan.shards.some(({ name }) => !finished.has(name))) assertContact(options, itemsOf(links.shards));
    return plan;
  },
  async run({ name, work }, context, effects) {
    const { links, further, retried } = await linksOf(work, context);
    const { options } = context;
    const client = await context.resources.get('http-client', options, () => makeClient(options));
    const pictures = await context.resources.get('picture-thread', options, () => new PictureThread(options));
    const blocklist = await residentBlocklist(options, context.resources);
    if (blocklist?.hasLooks && (!options.phash || options.disableAllReencoding))
      throw new UsageError('--blocklist names perceptual hashes, which neither --no-phash nor --disable-all-reencoding computes. Leave that option out.');
    const fetcher = { client, pictures, options, blocklist, signal: effects.signal };
    const result = await writeShard(name, { links, further, size: work.size }, fetcher, effects);
    return retried ? { ...result, extra: { ...result.extra, retried } } : result;
  },
};

async function linksOf(work: DownloadWork, { options, dataset, own }: RunContext<DownloadOptions>): Promise<Links & Partial<RetriedLinks>> {
  if ('retry' in work) return readRetried(work, await own.state(), (file) => own.fetch(file), options);
  if ('batch' in work) return readLinks(await dataset('batches')!.fetch(`${work.batch}.parquet`), options);
  return readLinks(await dataset('lists')!.fetch(`${work.list}.parquet`), options, work);
}

function makeClient(options: DownloadOptions): PoliteClient {
  return new PoliteClient({
    userAgent: userAgent(options.contact),
    robotsToken: ROBOTS_TOKEN,
    deadlines: {
      connectMs: options.connectTimeout * 1000,
      headerMs: options.headerTimeout * 1000,
      idleMs: options.idleTimeout * 1000,
      totalMs: options.timeout * 1000,
    },
    maxBytes: options.maxBytes,
    maxRedirects: options.maxRedirects,
    hostConcurrency: options.hostConcurrency,
    hostIntervalMs: options.hostInterval * 1000,
    connectTo: options.connectTo.map(parseConnectTo),
    allowedAddresses: parseAllowedAddresses(options.allowAddress),
    obeyRobots: options.robotsTxt,
    disallowedDirectives: options.disallowedHeaderDirectives,
    obeyTdmReservation: options.tdmReservation,
    ignoreCertificates: options.ignoreSslCertificate,
    accept: 'image/jpeg, image/png, image/webp, */*;q=0.1',
  });
}

function checkOptions(
  { outputFormat, encodeFormat, encodeQuality, verifyHash, bboxCol, disableAllReencoding, connectTo, allowAddress, contact }: DownloadOptions,
  readers: readonly string[],
): void {
  if (outputFormat !== 'webdataset' && readers.length > 0)
    throw new UsageError(
      `--output-format ${outputFormat}: ${readers.join(', ')} reads tars, which webdataset alone writes. Leave it out, or end with --until download.`,
    );
  if (bboxCol !== undefined && disableAllReencoding)
    throw new UsageError('--bbox-col blurs parts of pictures, and --disable-all-reencoding keeps all bytes as they are. Leave one of the two out.');
  if (verifyHash?.[1] !== undefined) hashType(verifyHash[1]);
  if (encodeFormat === 'png' && encodeQuality > 9)
    throw new UsageError(`--encode-quality is ${encodeQuality}, but for png it is the compression, 0 to 9. Give one, such as 6.`);
  connectTo.map(parseConnectTo);
  parseAllowedAddresses(allowAddress);
  checkContact(contact);
}
