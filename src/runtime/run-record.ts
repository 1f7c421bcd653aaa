import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { UsageError } from '../contracts/errors.ts';
import type { Storage } from '../contracts/storage.ts';

/** `run.json` of a run: what was decided about it. Never a secret. Locations in it are relative to the run where they lie in it. */
export const RunRecord = z.object({
  format: z.literal(1),
  version: z.string().describe('of the tool that wrote it last'),
  id: z.string().describe('random, given once'),
  options: z.record(z.string(), z.record(z.string(), z.unknown())).describe('of each stage, as they were decided'),
  inputs: z.record(z.string(), z.string()).describe('files from outside, by the stage that takes them'),
  datasets: z.record(z.string(), z.string()).describe('where each dataset lies'),
  redo: z.record(z.string(), z.string()).describe('stages whose shards are being made again, each with the id of that redo'),
});
export type RunRecord = z.infer<typeof RunRecord>;

const NAME = 'run.json';

/** The record of a run; a new one where the run has none. Throws UsageError where it can't be read. */
export async function readRunRecord(storage: Storage, version: string): Promise<RunRecord> {
  const text = await storage.readText(NAME);
  if (text === undefined) return { format: 1, version, id: randomUUID(), options: {}, inputs: {}, datasets: {}, redo: {} };
  try {
    return { ...RunRecord.parse(JSON.parse(text)), version };
  } catch (cause) {
    throw new UsageError(
      `${storage.location}/${NAME} is not a record of a run that this version reads. Give another run folder, or remove the file to begin anew.`,
      { cause },
    );
  }
}

export async function writeRunRecord(storage: Storage, record: RunRecord): Promise<void> {
  await storage.writeText(NAME, `${JSON.stringify(record, null, 2)}\n`);
}

/** Opens a redo for each stage; one that is open already goes on. */
export function withRedo(record: RunRecord, stages: readonly string[]): RunRecord {
  const redo = { ...record.redo };
  for (const stage of stages) redo[stage] ??= randomUUID();
  return { ...record, redo };
}
