import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { isUrl } from '../storage/location.ts';
import type { SourceFile } from './source-file.ts';
import { sourceName, withoutSecrets } from './source-name.ts';

/** Which crawl file a shard reads: recorded when the file gets its number, so without secrets. */
export const SourceWork = z.object({
  /** Relative to the run where it lies in it, so that a run may be moved; else an absolute path or a URL. */
  path: z.string(),
  /** Of the file when this was planned: a file whose folder was moved is known by its name and this. */
  digest: z.string(),
  /** True where the URL was given with a signature, which `path` lacks. */
  signed: z.literal(true).optional(),
});
export type SourceWork = z.output<typeof SourceWork>;

export function workOf({ path, digest }: SourceFile, runLocation: string): SourceWork {
  const plain = isUrl(path) ? withoutSecrets(path) : resolve(path);
  const relative = plain.startsWith(`${runLocation}/`) ? plain.slice(runLocation.length + 1) : plain;
  return { path: relative, digest, ...(isUrl(path) && plain !== path && { signed: true }) };
}

/** Where the file lies now. */
export function pathOf({ path }: SourceWork, runLocation: string): string {
  if (isUrl(path) || isAbsolute(path)) return path;
  return isUrl(runLocation) ? `${runLocation}/${path}` : join(runLocation, path);
}

/**
 * Gives each file its number, ascending. A file that has one keeps it: it is known by its path, and where that changed, by its name
 * and digest if these are unique. A new file gets the next number, whatever its name: so numbers begin in the order of the input.
 */
export function numberSources(files: readonly SourceWork[], recorded: ReadonlyMap<string, SourceWork>): [number: number, work: SourceWork][] {
  const free = new Map([...recorded].map(([name, work]) => [Number(name), work]));
  const numbered: [number, SourceWork][] = [];
  const take = (number: number, work: SourceWork): void => {
    free.delete(number);
    numbered.push([number, work]);
  };
  // A path may be given twice: then each time has its number.
  const byPath = groups(free, ({ path }) => path);
  const others: SourceWork[] = [];
  for (const work of files) {
    const number = byPath.get(work.path)?.shift();
    if (number === undefined) others.push(work);
    else take(number, work);
  }
  const byContent = groups(free, contentOf);
  const alike = Map.groupBy(others, contentOf);
  let next = Math.max(-1, ...[...recorded.keys()].map(Number)) + 1;
  for (const work of others) {
    const content = contentOf(work);
    const numbers = byContent.get(content) ?? [];
    take(numbers.length === 1 && alike.get(content)!.length === 1 ? numbers[0]! : next++, work);
  }
  return numbered.sort(([a], [b]) => a - b);
}

function contentOf({ path, digest }: SourceWork): string {
  return `${sourceName(path)}\n${digest}`;
}

/** Numbers by what their work has in common, ascending. */
function groups(works: ReadonlyMap<number, SourceWork>, keyOf: (work: SourceWork) => string): Map<string, number[]> {
  const numbers = [...works.keys()].sort((a, b) => a - b);
  return Map.groupBy(numbers, (number) => keyOf(works.get(number)!));
}
