import { nextShardNumber, shardName } from '../contracts/sample-key.ts';
import type { Shard } from '../contracts/stage.ts';
import type { SourceFile } from './source-file.ts';
import { sourceName } from './source-name.ts';
import { type SourceWork, workOf } from './source-work.ts';

/** A shard for each file, under the number that the file has or gets. `recorded`: what earlier plans have chosen. */
export function planSources(files: readonly SourceFile[], recorded: ReadonlyMap<string, SourceWork>, runLocation: string): Shard<SourceWork>[] {
  const works = files.map((file) => workOf(file, runLocation));
  return numberSources(works, recorded).map(([number, work]) => ({
    name: shardName(number),
    work,
    inputs: [{ name: sourceName(work.path), digest: work.digest }],
  }));
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
  let next = nextShardNumber(recorded.keys());
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
