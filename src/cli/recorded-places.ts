import { recordedRun } from '../runtime/run-record.ts';
import type { Stage } from '../contracts/stage.ts';
import { joinLocation } from '../storage/location.ts';
import { openStorage } from '../storage/open-storage.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the datasets lie that a stage reads and that the run has in the folder of another: where nothing was filtered, run.json says that
 * `pairs` lies in `samples`. For stages that can do without what filter adds.
 */
export async function recordedPlaces({ reads }: Stage, location: string, environment: Environment): Promise<Record<string, string>> {
  const storage = await openStorage(location, environment);
  if ((await storage.size('run.json')) === undefined) return {};
  const { locations } = (await recordedRun(location, environment)).settings;
  const places: Record<string, string> = {};
  for (const { dataset, unfiltered } of reads) {
    if (unfiltered !== true) continue;
    const recorded = locations[dataset];
    const within = recorded?.startsWith(`${location}/`) ?? false;
    if (recorded !== undefined && within && recorded !== joinLocation(location, dataset) && (await storage.list(dataset)).length === 0)
      places[dataset] = recorded;
  }
  return places;
}
