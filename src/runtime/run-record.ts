import { randomUUID } from 'node:crypto';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../contracts/errors.ts';
import { packageVersion } from '../contracts/package-root.ts';
import type { Stage } from '../contracts/stage.ts';
import type { Storage } from '../contracts/storage.ts';
import { isUrl, joinLocation } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';
import type { RunSettings } from './run-settings.ts';

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
export async function readRunRecord(storage: Storage): Promise<RunRecord> {
  const version = packageVersion();
  const record = await findRunRecord(storage);
  return record ? { ...record, version } : { format: 1, version, id: randomUUID(), options: {}, inputs: {}, datasets: {}, redo: {} };
}

async function findRunRecord(storage: Storage): Promise<RunRecord | undefined> {
  const text = await storage.readText(NAME);
  if (text === undefined) return undefined;
  try {
    return RunRecord.parse(JSON.parse(text));
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

/** The record with what a command has decided for its stages. Where a dataset lies that these have nothing to do with was decided by another command. */
export function withDecisions(record: RunRecord, stages: readonly Stage[], { location, options, inputs, locations }: RunSettings): RunRecord {
  const named = Object.fromEntries(Object.entries(options).filter(([name]) => stages.some((stage) => stage.name === name)));
  const own = new Set(stages.flatMap(({ reads, writes }) => [writes, ...reads.map(({ dataset }) => dataset)]));
  const located = Object.fromEntries(Object.entries(locations).filter(([dataset]) => own.has(dataset) || record.datasets[dataset] === undefined));
  return {
    ...record,
    options: { ...record.options, ...named },
    inputs: { ...record.inputs, ...mapValues(inputs, (input) => withoutSecrets(relativeTo(location, input))) },
    datasets: { ...record.datasets, ...mapValues(located, (path) => relativeTo(location, path)) },
  };
}

/** The settings of a run as its record has them, for a process that has nothing but the run's location. Throws UsageError where there is no run. */
export async function recordedRun(
  location: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<{ settings: RunSettings; record: RunRecord }> {
  const record = await findRunRecord(await openStorage(location, environment));
  if (!record) throw new UsageError(`${location} is no run: it has no ${NAME}. Name the folder or s3:// prefix that --run-dir named.`);
  const settings: RunSettings = {
    location,
    id: record.id,
    locations: mapValues(record.datasets, (path) => absoluteFrom(location, path)),
    inputs: mapValues(record.inputs, (input) => absoluteFrom(location, input)),
    options: record.options,
    rejects: 'sample',
    acceptChanged: false,
  };
  return { settings, record };
}

function relativeTo(location: string, path: string): string {
  if (path === location) return '.';
  return path.startsWith(`${location}/`) ? path.slice(location.length + 1) : path;
}

function absoluteFrom(location: string, path: string): string {
  if (path === '.') return location;
  return isAbsolute(path) || isUrl(path) ? path : joinLocation(location, path);
}

/** A URL without what may be a signature or a password. */
function withoutSecrets(input: string): string {
  return input.replaceAll(/(https?:\/\/)(?:[^/@,]*@)?([^?#,]*)[^,]*/gi, '$1$2');
}

function mapValues(record: Readonly<Record<string, string>>, map: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
