import { z } from 'zod';
import { itemsOf, shardsInRow } from '../../contracts/dataset.ts';
import { counted } from '../../contracts/counted.ts';
import { ShardError, UsageError } from '../../contracts/errors.ts';
import { shardName } from '../../contracts/sample-key.ts';
import type { Stage } from '../../contracts/stage.ts';
import { copyLinks } from '../../db/copy-links.ts';
import { droppedLinks } from '../../db/dropped-links.ts';
import { chained, linkFiles, foreignLinks } from '../../db/links-chain.ts';
import { openStaging } from '../../db/open-staging.ts';
import { type VanishedLinks, vanishedLinks } from '../../db/vanished-links.ts';
import { ingestOptions } from './options.ts';

const IngestWork = z.object({});

/** Batches that are named in a message. */
const MAX_NAMED = 5;

/**
 * Copies shards of links, the three sets of each together, into PostgreSQL: each in one transaction with the record that it is
 * in, so that a kill leaves all its rows or none. A hash that is in already is dropped as a duplicate. Writes no files: what
 * is in the database can be made again from links/ minus batches/ (`openStaging` does it).
 */
export const ingest: Stage<'ingest', typeof ingestOptions, z.output<typeof IngestWork>> = {
  name: 'ingest',
  database: true,
  does: 'Copies the links into PostgreSQL, from which batches are drawn at random.',
  reads: [{ dataset: 'links', ...foreignLinks }],
  writes: 'ingest',
  consults: ['batches'],
  unit: 'links',
  format: 2,
  options: ingestOptions,
  work: IngestWork,

  plan({ datasets }) {
    const { shards, sealed } = datasets['links']!;
    const ready = sealed ? shards : shardsInRow(shards);
    return {
      // Of two rows with one hash the first stays: which one is first must not depend on the workers.
      shards: ready.map(({ name, digest }, i) => ({
        name,
        work: {},
        inputs: [{ name: `links/${name}`, digest }],
        ...(i > 0 && { after: [ready[i - 1]!.name] }),
      })),
      complete: sealed,
    };
  },

  check({ stagingHigh, stagingLow }) {
    if (stagingLow > stagingHigh)
      throw new UsageError(`--staging-low ${stagingLow} is above --staging-high ${stagingHigh}. Give a lower --staging-low or a higher --staging-high.`);
  },

  waiting({ options, own, readers }) {
    return { level: itemsOf(own.shards) - itemsOf(readers['batches']?.shards ?? []), low: options.stagingLow, high: options.stagingHigh };
  },

  async run({ name }, context, effects) {
    const links = context.dataset('links')!;
    const here = chained((await links.state()).shards).find(({ shard }) => shard.name === name);
    if (!here) throw new ShardError(`Shard ${name} of ${links.location} is gone. Run dedup again.`);
    const files = await linkFiles(links, here.shard);
    const staging = await openStaging(context, { links, ingest: context.own, batches: undefined }, { signal: effects.signal });
    const { rows, dropped, tooLong, cut } = await copyLinks(staging.sql, {
      shard: here.number,
      chain: here.chain,
      files,
      signal: effects.signal,
      progress: (read) => {
        effects.progress({ in: read, out: read });
        effects.reached('copying');
      },
      reached: effects.reached,
    });
    for await (const { reason, item } of droppedLinks(files, dropped)) effects.drop(reason, item);
    const warnings = [
      ...staging.notes,
      ...[...tooLong].map(([column, values]) => `${values} values of ${column} are absurdly long and were left out.`),
      ...(cut > 0 ? [`${cut} ${cut === 1 ? 'text is' : 'texts are'} absurdly long and ${cut === 1 ? 'was' : 'were'} cut.`] : []),
    ];
    return { in: rows, out: rows - dropped.length, warnings };
  },

  async seal(context, { signal }) {
    const batches = context.dataset('batches');
    // A database that was made anew knows of no batch, and one whose links changed has let go of those that it did not know to be written.
    const drawn = batches && (await batches.state()).shards.length > 0 ? batches : undefined;
    const sources = { links: context.dataset('links'), ingest: context.own, batches: drawn, complete: true };
    const staging = await openStaging(context, sources, { signal, anew: true });
    const vanished = await vanishedLinks(staging.sql);
    if (vanished.length > 0 && !context.acceptChanged) throw vanishedError(vanished, context.dataset('links')!.location);
    // By the digest of the batch: drawn again, it is another one, which has none of them.
    return { vanished: Object.fromEntries(vanished.map(({ batch, digest, links }) => [digest ?? `batch ${batch}`, links])) };
  },
};

function vanishedError(vanished: readonly VanishedLinks[], location: string): UsageError {
  const links = vanished.reduce((sum, each) => sum + each.links, 0);
  const named = vanished.slice(0, MAX_NAMED).map(({ batch }) => shardName(batch));
  const batches = `${counted(vanished.length, 'batches')} (${named.join(', ')}${vanished.length > MAX_NAMED ? ', …' : ''})`;
  return new UsageError(
    `${counted(links, 'links')} of ${batches} ${links === 1 ? 'is' : 'are'} not in ${location} any more, because the input has changed since they were drawn. ` +
      'Give --accept-changed to keep what was drawn and downloaded, or --accept-changed --redo draw,download to draw and download everything again.',
  );
}
