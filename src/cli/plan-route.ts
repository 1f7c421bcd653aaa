import { UsageError } from '../contracts/errors.ts';
import type { Stage } from '../contracts/stage.ts';
import { pipeline, routes } from '../pipeline.ts';
import { joinLocation } from '../storage/location.ts';
import type { RecognisedInput } from './recognise-input.ts';

/** Which stages run from an input on, and where they find what they read. */
export interface Route {
  readonly stages: readonly Stage[];
  /** Files from outside, by the stage that takes them. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Datasets that lie elsewhere than in the run. */
  readonly elsewhere: Readonly<Record<string, string>>;
  /** Datasets of the run that are left aside. */
  readonly unread: readonly string[];
}

export interface RouteSettings {
  /** First stage behind the input, and last one; as it follows from the input where they are not given. */
  from?: string | undefined;
  until?: string | undefined;
  /** Of the run. */
  location: string;
}

/** The stages that make samples out of each kind of files, and those behind. */
const entry = { crawl: routes.crawl, list: routes.list, pictures: routes.pictures } as const;
const names = (stages: readonly Stage[]): string => stages.map(({ name }) => name).join(', ');

/**
 * The way from an input to the index. Pictures of one's own, and links without texts, are not filtered: they go from samples/ to embed
 * and index. `input` is what was given, absolute. Throws UsageError where --from or --until name no stage of that way.
 */
export function planRoute(given: RecognisedInput, input: string, { from, until, location }: RouteSettings): Route {
  if (given.kind === 'dataset') return untilStage(fromDataset(given.dataset, input, from), until);
  const all: readonly Stage[] = entry[given.kind];
  const first = all[0]!;
  const before = all.filter((stage) => !routes.samples.includes(stage));
  const unfiltered = from === undefined ? given.kind === 'pictures' || (given.kind === 'list' && !given.texts) : from === 'embed';
  if (from !== undefined && !routes.samples.some(({ name }) => name === from))
    throw new UsageError(
      `--from ${from}: this input goes through ${names(before)} first, and from there on to one of ${names(routes.samples)}. Name one of these.`,
    );
  const after = unfiltered ? withoutFilter() : routes.samples.slice(routes.samples.findIndex(({ name }) => name === (from ?? 'filter')));
  const [next] = after;
  const reads = next?.reads[0]?.dataset;
  const elsewhere: Record<string, string> = unfiltered ? { pairs: joinLocation(location, 'samples') } : {};
  if (!unfiltered && reads !== 'samples') throw new UsageError(`--from ${from}: samples can be filtered or embedded. Give --from filter or --from embed.`);
  const written = new Set([...before, ...after].map(({ writes }) => writes));
  const unread = ['batches', 'lists', 'pairs', 'release'].filter((dataset) => !written.has(dataset) && !(dataset in elsewhere));
  return untilStage({ stages: [...before, ...after], inputs: { [first.name]: input }, elsewhere, unread }, until);
}

/** embed of samples as they are, and index of their embeddings. */
function withoutFilter(): Stage[] {
  const [embed, index] = ['embed', 'index'].map((name) => pipeline.find((stage) => stage.name === name)!);
  return [readingInstead(embed!, 'pairs', 'samples'), index!];
}

/** The stage planned from another dataset than the one that it reads. Its shards find that one where the session's `elsewhere` says. */
function readingInstead(stage: Stage, dataset: string, instead: string): Stage {
  return {
    ...stage,
    reads: stage.reads.map((read) => (read.dataset === dataset ? { ...read, dataset: instead } : read)),
    plan: (context) => stage.plan({ ...context, datasets: { ...context.datasets, [dataset]: context.datasets[instead]! } }),
  };
}

/** What comes behind a dataset; embeddings are indexed alone, since their pairs are not given. */
function fromDataset(dataset: string, input: string, from: string | undefined): Route {
  const readers = pipeline.filter(({ reads }) => reads.some((read) => read.dataset === dataset));
  const ways: Readonly<Record<string, readonly Stage[]>> = { samples: routes.samples, pairs: routes.pairs, embeddings: routes.embeddings };
  const way = ways[dataset] ?? routes.crawl;
  const start = from === undefined ? way.findIndex((stage) => readers.includes(stage)) : way.findIndex(({ name }) => name === from);
  const stages = start < 0 ? [] : way.slice(start);
  const [first] = stages;
  if (!first) {
    if (from !== undefined) throw new UsageError(`--from ${from}: behind ${dataset}/ come ${names(way)}. Name one of these.`);
    throw new UsageError(`${input} holds ${dataset}/, behind which no stage comes. Look at it with pairmill serve, or give the data from which it was made.`);
  }
  // What the first stage reads is what was given, under whatever name it is known.
  const elsewhere = { [first.reads.some((read) => read.dataset === dataset) ? dataset : first.reads[0]!.dataset]: input };
  return { stages, inputs: {}, elsewhere, unread: unreadBehind(stages).filter((each) => !(each in elsewhere)) };
}

/** Datasets that the first stage could read too, and that are not those of this input. */
function unreadBehind(stages: readonly Stage[]): string[] {
  const [first] = stages;
  if (first!.name === 'download') return ['batches', 'lists'];
  return stages.length === 1 && first!.name === 'index' ? ['release'] : ['lists'];
}

function untilStage(route: Route, until: string | undefined): Route {
  if (until === undefined) return route;
  const last = route.stages.findIndex(({ name }) => name === until);
  if (last < 0) throw new UsageError(`--until ${until}: this input goes through ${names(route.stages)}. Name one of these.`);
  return { ...route, stages: route.stages.slice(0, last + 1) };
}
