import { counted, nounFor } from '../contracts/counted.ts';
import { packageVersion } from '../contracts/package-root.ts';
import { totalDropped } from '../contracts/drop-reason.ts';
import type { StageSummary } from '../contracts/shard-stats.ts';
import type { Stage } from '../contracts/stage.ts';
import { pipeline } from '../pipeline.ts';
import type { OpenedRun, PipelineOutcome } from '../runtime/open-run.ts';
import { kebabCase } from '../runtime/stable-json.ts';
import { summarise } from '../runtime/stage-summary.ts';
import { joinLocation } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';
import { announcements } from './announcements.ts';
import type { CommandIo } from './command.ts';
import { droppedWords } from './dropped-words.ts';
import { canHeal } from './retry-reasons.ts';
import type { Session } from './session.ts';
import { MAX_FAILED_SHARE } from './stage-watch.ts';
import { renderSummary } from './table.ts';

/** Ends a run: summary.json, the table of what was made now, what was there already, what failed, and the next command. */
export async function reportRun(opened: OpenedRun, outcome: PipelineOutcome, session: Session, io: CommandIo): Promise<void> {
  if (session.summary) {
    const storage = await openStorage(session.location, io.environment);
    await storage.writeText('summary.json', `${JSON.stringify({ version: packageVersion(), stages: outcome.stages }, null, 2)}\n`);
  }
  const made = madeNow(opened);
  if (session.run.json)
    io.out(`${JSON.stringify({ stages: outcome.stages, failed: outcome.failed, waiting: outcome.waiting, notes: announcements(session) })}\n`);
  else if (made.length > 0) io.out(`\n${renderSummary(made)}\n`);
  if (!session.run.quiet) for (const line of [...conclusions(opened, made), ...already(opened, made), ...whereabouts(opened, made)]) io.err(`${line}\n`);
  if (!session.run.quiet) for (const line of mayPass(opened, outcome)) io.err(`${line}\n`);
  // Where nothing was made since, that was said just above.
  if (made.length > 0) for (const { message } of outcome.failed) io.err(`failed: ${message}\n`);
  for (const { stage, for: others } of outcome.waiting) if (others.length > 0) io.err(`${stage} is not whole: it waits for ${others.join(', ')}.\n`);
  const failed = outcome.failed.length;
  if (failed > 0) io.err(`${counted(failed, 'shards')} failed. The same command tries ${failed === 1 ? 'it' : 'them'} again; --skip-failed goes on without.\n`);
  else if (!session.run.quiet && !session.goesOn) {
    const next = nextCommand(opened, session);
    if (next !== undefined) io.err(`Next: ${next}\n`);
  }
}

/** The stages that made something in this session, with the figures of that alone. */
function madeNow({ activities }: OpenedRun): StageSummary[] {
  return activities.flatMap((activity) => {
    const { stage, valid } = activity.state;
    const shards = [...valid.values()].filter(({ shard }) => !activity.kept.has(shard));
    return shards.length > 0 ? [summarise(stage.name, shards, activity)] : [];
  });
}

/** What stages that are whole say of what they have made. */
function conclusions({ states }: OpenedRun, made: readonly StageSummary[]): string[] {
  return states.flatMap(({ stage, sealed, seal }) => {
    if (!sealed || !made.some(({ name }) => name === stage.name)) return [];
    return (stage.conclude?.(seal?.record ?? {}) ?? []).map((line) => `${stage.name}: ${line}`);
  });
}

/** What was finished before this session: stages that made nothing now, and shards of those that did. */
function already({ activities }: OpenedRun, made: readonly StageSummary[]): string[] {
  const before = activities.filter(({ kept }) => kept.size > 0).map(({ state, kept }) => ({ stage: state.stage.name, shards: kept.size }));
  const isMade = ({ stage }: { stage: string }): boolean => made.some(({ name }) => name === stage);
  const whole = before.filter((each) => !isMade(each)).map(({ stage }) => stage);
  const parts = before.filter(isMade).map(({ stage, shards }) => `${counted(shards, 'shards')} of ${stage}`);
  const lines: string[] = [];
  if (whole.length > 0)
    lines.push(
      `${counted(whole.length, 'stages')} ${whole.length === 1 ? 'was' : 'were'} already finished: ${whole.join(', ')}.${made.length === 0 ? ' Nothing was to be done.' : ''}`,
    );
  if (parts.length > 0) lines.push(`Already finished, and not in the table: ${parts.join(', ')}.`);
  return lines;
}

/** Where most of what a stage took failed for reasons that may have passed later. */
function mayPass({ states }: OpenedRun, { stages }: PipelineOutcome): string[] {
  return states.flatMap(({ stage }, i) => {
    const { in: taken, dropped } = stages[i]!;
    const passing = Object.fromEntries(Object.entries(dropped).filter(([reason]) => canHeal(reason)));
    if (!stage.retries || totalDropped(passing) <= taken * MAX_FAILED_SHARE) return [];
    return [
      `${totalDropped(passing).toLocaleString('en')} of ${counted(taken, stage.unit)} failed for reasons that may pass: ${droppedWords(stage.name, passing, false)}. ` +
        `Later, the same command with --retry-failed ${Object.keys(passing).join(',')} asks for them again.`,
    ];
  });
}

/** Where that lies which was made. */
function whereabouts({ states, settings }: OpenedRun, made: readonly StageSummary[]): string[] {
  const written = states.filter(({ stage }) => made.some(({ name }) => name === stage.name)).map(({ storage }) => storage.location);
  const within = written.filter((at) => at.startsWith(`${settings.location}/`));
  const elsewhere = written.filter((each) => !within.includes(each));
  return [
    ...(within.length > 0
      ? [
          `What was made is in the ${nounFor(within.length, 'folders')} ${within.map((at) => at.slice(settings.location.length + 1)).join(', ')} of ${settings.location}.`,
        ]
      : []),
    ...elsewhere.map((at) => `What was made is in ${at}.`),
  ];
}

/** What follows the last stage, as a command to copy. Undefined where a stage is not whole. */
function nextCommand({ states, settings }: OpenedRun, { location, elsewhere }: Session): string | undefined {
  const last = states.at(-1);
  if (!last?.sealed) return undefined;
  const at = settings.locations[last.stage.writes]!;
  const outside = elsewhere?.[last.stage.writes] !== undefined;
  if (last.stage.writes === 'index') return `pairmill serve --input ${quoted(outside ? at : location)}`;
  const next = stageAfter(last.stage);
  // Where nothing was filtered, there is nothing for stages that need what filter adds.
  const needsFilter = next?.reads.some(({ dataset, unfiltered }) => dataset === 'pairs' && !unfiltered);
  if (needsFilter && settings.locations['pairs'] === joinLocation(settings.location, 'samples')) return undefined;
  if (next === undefined) return undefined;
  const places = outside ? `${placeFor(next, last.stage.writes, at)} --output DIR` : `--run-dir ${quoted(location)}`;
  // The release may be there already, made without what was written now.
  const taking = last.stage.takenUpBy && ` ${last.stage.takenUpBy}${outside ? '' : ` --redo ${next.name}`}`;
  return `pairmill ${next.name} ${places}${taking ?? ''}`;
}

/** How a stage is told where a dataset lies that it reads: as its input, or by an option beside that. */
function placeFor({ reads, locates = {} }: Stage, dataset: string, at: string): string {
  const input = reads[0]!.dataset;
  if (dataset === input) return `--input ${quoted(at)}`;
  const [option] = Object.entries(locates).find(([, name]) => name === dataset) ?? [];
  return [`--input ${input.toUpperCase()}`, ...(option === undefined ? [] : [`--${kebabCase(option)} ${quoted(at)}`])].join(' ');
}

function stageAfter({ name, writes }: Stage): Stage | undefined {
  return pipeline.slice(pipeline.findIndex((stage) => stage.name === name) + 1).find(({ reads }) => reads.some(({ dataset }) => dataset === writes));
}

/** As a shell takes it for one word. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
