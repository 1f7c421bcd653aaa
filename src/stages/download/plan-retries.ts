import { counted } from '../../contracts/counted.ts';
import type { PublishedShard } from '../../contracts/dataset.ts';
import { UsageError } from '../../contracts/errors.ts';
import { nextShardNumber, shardName } from '../../contracts/sample-key.ts';
import type { Plan, PlanContext, Shard } from '../../contracts/stage.ts';
import type { DownloadWork, RetryWork } from './download-work.ts';
import { withSameStatus } from './sample-status.ts';

/** A shard of which links are to be tried again, how many, and how large it may be. */
interface Source {
  readonly shard: string;
  readonly reasons: readonly string[];
  readonly links: number;
  readonly size: number;
}

/**
 * Adds the shards of --retry-failed to a plan: each takes links that shards before it have dropped under the reasons that were named,
 * up to the size of a shard. What was chosen is recorded, so that a killed command goes on with it, and each link is tried again
 * once for each time that it was dropped.
 */
export function planRetries(
  plan: Plan<DownloadWork>,
  { own, recorded, retry }: Pick<PlanContext<unknown, DownloadWork>, 'own' | 'recorded' | 'retry'>,
): Plan<DownloadWork> {
  const known = [...recorded].filter((entry): entry is [string, RetryWork] => 'retry' in entry[1]);
  const works = new Map(plan.shards.map(({ name, work }) => [name, work]));
  const shards: Shard<DownloadWork>[] = [...plan.shards];
  const add = (name: string, work: RetryWork): void => {
    // A list that is gone has taken its shards along.
    const after = work.retry.map(({ shard }) => shard).filter((shard) => works.has(shard));
    if (after.length === 0) return;
    works.set(name, work);
    shards.push({ name, work, inputs: [], after });
  };
  for (const [name, work] of known) add(name, work);
  if (!retry) return { ...plan, shards };

  const reasons = withSameStatus(retry.reasons);
  const open = known.filter(([name]) => !retry.finishedBefore.has(name));
  // What a killed command has begun is not tried twice by the one that goes on with it.
  const wanted = reasons.filter((reason) => !open.some(([, work]) => work.retry.some((each) => each.reasons.includes(reason))));
  const finished = own.shards.filter(({ name }) => retry.finishedBefore.has(name) && works.has(name));
  const sources = finished.map((shard) => sourceOf(shard, wanted, known, works.get(shard.name)!.size)).filter(({ links }) => links > 0);
  assertThere(finished, sources);
  let next = nextShardNumber([...works.keys(), ...recorded.keys(), ...own.shards.map(({ name }) => name)]);
  const added: string[] = [];
  for (const group of grouped(sources)) {
    const name = shardName(next++);
    add(name, { retry: group.map((source) => ({ shard: source.shard, reasons: [...source.reasons] })), size: group[0]!.size });
    added.push(name);
  }
  return {
    ...plan,
    shards,
    notes: notesOf(
      retry.reasons,
      sources,
      added,
      open.map(([name]) => name),
    ),
  };
}

/** What of a finished shard is to be tried again and was not yet. */
function sourceOf({ name, dropped = {} }: PublishedShard, wanted: readonly string[], known: readonly [string, RetryWork][], size: number): Source {
  const done = new Set(known.flatMap(([, { retry }]) => retry.filter(({ shard }) => shard === name).flatMap((each) => each.reasons)));
  const reasons = wanted.filter((reason) => dropped[reason] !== undefined && !done.has(reason));
  return { shard: name, reasons, links: reasons.reduce((sum, reason) => sum + dropped[reason]!, 0), size };
}

function grouped(sources: readonly Source[]): Source[][] {
  const groups: Source[][] = [];
  let links = 0;
  for (const source of sources) {
    const [first] = groups.at(-1) ?? [];
    if (first === undefined || links + source.links > first.size) {
      groups.push([]);
      links = 0;
    }
    groups.at(-1)!.push(source);
    links += source.links;
  }
  return groups;
}

/** The rows of a shard say which links it dropped. */
function assertThere(finished: readonly PublishedShard[], sources: readonly Source[]): void {
  const asked = finished.filter(({ name }) => sources.some(({ shard }) => shard === name));
  const gone = asked.filter(({ name, removed, kept }) => removed && !kept?.includes(`${name}.parquet`));
  if (gone.length > 0)
    throw new UsageError(
      `--retry-failed can't tell which links of ${counted(gone.length, 'shards')} of samples/ failed: --keep has removed their rows. Nothing was changed. --redo download asks for all links again.`,
    );
  if (asked.some(({ name, files }) => !files.includes(`${name}.parquet`)))
    throw new UsageError(
      '--retry-failed: --output-format dummy writes no rows that say which links failed. Nothing was changed. --redo download asks for all links again.',
    );
}

function notesOf(reasons: readonly string[], sources: readonly Source[], added: readonly string[], open: readonly string[]): string[] {
  const links = sources.reduce((sum, source) => sum + source.links, 0);
  return [
    ...(open.length > 0 ? [`download goes on with what an earlier --retry-failed began, in ${counted(open.length, 'shards')} (${named(open)}).`] : []),
    ...(added.length > 0
      ? [
          `download tries ${counted(links, 'links')} of ${counted(sources.length, 'shards')} again, in ${counted(added.length, 'new shards')} (${named(added)}).`,
        ]
      : open.length > 0
        ? []
        : [`--retry-failed has nothing to do: no link that download has dropped under ${reasons.join(', ')} is left that was not tried again.`]),
  ];
}

const MAX_NAMED = 5;

function named(shards: readonly string[]): string {
  return `${shards.slice(0, MAX_NAMED).join(', ')}${shards.length > MAX_NAMED ? ', …' : ''}`;
}
