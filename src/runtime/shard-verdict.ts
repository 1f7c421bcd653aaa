import type { MadeBy } from '../contracts/shard-stats.ts';
import { isOurs, type Marker } from './marker.ts';
import { kebabCase, stableJson } from './stable-json.ts';

/** What is to be done with a planned shard. */
export type Verdict =
  | { do: 'keep' }
  /** Keep it, and write into its marker that it counts as made so. */
  | { do: 'accept' }
  | { do: 'make'; why: 'missing' | 'stale' | 'damaged' | 'redo'; because?: string }
  | { do: 'refuse'; why: 'format' | 'options' | 'inputs' | 'foreign'; because: string };

export interface VerdictSettings {
  /** Id of the open --redo of the stage. */
  redo: string | undefined;
  acceptChanged: boolean;
  /** The stage's inputs can't be had again. */
  irreplaceable: boolean;
  /** What is wrong with the shard's files. */
  damage: string | undefined;
  /** `formatChanges` of the stage. */
  formatChanges?: Readonly<Record<number, string>> | undefined;
}

/** Compares a shard's marker with how it would be made now. */
export function verdictOf(marker: Marker | undefined, now: MadeBy, settings: VerdictSettings): Verdict {
  const { redo, acceptChanged, irreplaceable, damage } = settings;
  if (marker === undefined) return { do: 'make', why: 'missing' };
  const isRedone = redo !== undefined && !(isOurs(marker) && marker.redo === redo);
  if (isRedone && !isOurs(marker)) return { do: 'make', why: 'redo' };
  if (!isOurs(marker)) return { do: 'refuse', why: 'foreign', because: 'its marker was written by another tool or an earlier version of pairmill' };
  const { format, options, inputs } = differences(marker.made_by, now, settings.formatChanges);
  const others = [...format, ...options];
  if (isRedone) return { do: 'make', why: 'redo', because: options.length > 0 ? options.join('; ') : undefined };
  if (others.length > 0 && acceptChanged) return { do: 'accept' };
  if (others.length > 0) return { do: 'refuse', why: format.length > 0 ? 'format' : 'options', because: others.join('; ') };
  if (damage !== undefined && marker.removed !== undefined && irreplaceable) return { do: 'refuse', why: 'inputs', because: damage };
  if (damage !== undefined) return { do: 'make', why: 'damaged', because: damage };
  if (inputs.length === 0) return { do: 'keep' };
  const because = inputs.length === 1 ? inputs[0]! : `${inputs.length} inputs changed`;
  if (!irreplaceable) return { do: 'make', why: 'stale', because };
  return acceptChanged ? { do: 'accept' } : { do: 'refuse', why: 'inputs', because };
}

interface Differences {
  /** One where the versions differ. */
  format: string[];
  /** Of options and models. */
  options: string[];
  inputs: string[];
}

/** Says in words what differs between two makings: `--min-bytes was 5000, is 100`. `changes`: of the format, by version. */
function differences(before: MadeBy, now: MadeBy, changes: Readonly<Record<number, string>> = {}): Differences {
  const format: string[] = [];
  if (before.format !== now.format) {
    const since = Object.entries(changes).flatMap(([version, what]) => (Number(version) > before.format ? [`since ${version}, ${what}`] : []));
    format.push(`the format was version ${before.format}, is ${now.format}${since.length > 0 ? ` (${since.join('; ')})` : ''}`);
  }
  const options = changed(before.options, now.options).map(({ key, was, is }) => `--${kebabCase(key)} was ${was}, is ${is}`);
  const models = changed(before.models, now.models).map(
    ({ key, was, is }) => `${key.startsWith('blocklist ') ? key : `model file ${key}`} was ${was}, is ${is}`,
  );
  const inputs = changed(before.inputs, now.inputs).map(({ key }) => {
    if (!(key in before.inputs)) return `${key} is new`;
    return key in now.inputs ? `${key} has changed` : `${key} is gone`;
  });
  return { format, options: [...options, ...models], inputs };
}

/** The keys whose values differ, sorted, with the values as JSON. */
function changed(before: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): { key: string; was: string; is: string }[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .sort()
    .map((key) => ({ key, was: stableJson(before[key]), is: stableJson(now[key]) }))
    .filter(({ was, is }) => was !== is);
}
