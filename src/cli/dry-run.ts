import { UsageError } from '../contracts/errors.ts';
import type { Stage, StageFolders } from '../contracts/stage.ts';
import { readMarker } from '../runtime/completion.ts';
import { renderTable } from './table.ts';

/**
 * What a run would do, as a table of its stages: shards planned, those that have their marker, what is read and written.
 * Does nothing; a stage whose input is not there yet is planned when it is.
 */
export async function renderDryRun(
  stages: readonly Stage[],
  optionsOf: (stage: Stage) => Record<string, unknown>,
  foldersOf: (stage: Stage) => StageFolders,
): Promise<string> {
  const rows: string[][] = [];
  for (const stage of stages) {
    const folders = foldersOf(stage);
    const [shards, finished] = await planned(stage, optionsOf(stage), folders);
    rows.push([stage.name, shards, finished, stage.usesDatabase && stage.name === 'download' ? 'PostgreSQL' : folders.input, folders.output]);
  }
  return renderTable(['stage', 'shards', 'finished', 'reads', 'writes'], rows, [0, 3, 4]);
}

async function planned(stage: Stage, options: Record<string, unknown>, folders: StageFolders): Promise<[shards: string, finished: string]> {
  // A plan that draws from the database would change it.
  if (stage.usesDatabase === 'without-input' && folders.input === folders.stages.ingest) return ['drawn', ''];
  try {
    const plan = await stage.plan({ options, folders }, { reached: () => undefined });
    const shards = [];
    for await (const shard of plan) shards.push(shard);
    const markers = await Promise.all(shards.map(({ name }) => readMarker(folders.output, name)));
    return [String(shards.length), String(markers.filter((marker) => marker !== undefined).length)];
  } catch (error) {
    // The first stage's input must be there; a later one's is made by the stage before it.
    if (error instanceof UsageError && folders.stages[stage.name] === folders.output && stage.reads !== 'crawl') return ['later', ''];
    throw error;
  }
}
