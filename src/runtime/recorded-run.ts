import { UsageError } from '../contracts/errors.ts';
import { joinLocation } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';
import { type RunRecord, RunRecord as RunRecordSchema } from './run-record.ts';
import type { RunSettings } from './run-settings.ts';

/** The settings of a run as its `run.json` has them, for a process that has nothing but the run's location. Throws UsageError where there is no run. */
export async function recordedRun(
  location: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<{ settings: RunSettings; record: RunRecord }> {
  const text = await (await openStorage(location, environment)).readText('run.json');
  if (text === undefined) throw new UsageError(`${location} is no run: it has no run.json. Name the folder or s3:// prefix that --run-dir named.`);
  const parsed = RunRecordSchema.safeParse(JSON.parse(text));
  if (!parsed.success) throw new UsageError(`${location}/run.json is not a record of a run that this version reads.`);
  const record = parsed.data;
  const absolute = (path: string): string => (path === '.' ? location : /^(?:\/|[a-z0-9]+:\/\/)/i.test(path) ? path : joinLocation(location, path));
  const located = (paths: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, absolute(path)]));
  const settings: RunSettings = {
    location,
    id: record.id,
    locations: located(record.datasets),
    inputs: located(record.inputs),
    options: record.options,
    rejects: 'sample',
    acceptChanged: false,
  };
  return { settings, record };
}
