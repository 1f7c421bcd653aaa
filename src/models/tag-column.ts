import { UsageError } from '../contracts/errors.ts';

/** Columns of LAION's release: who joins files by name takes what is in them for LAION's. */
const laionColumns = ['punsafe', 'pwatermark', 'aesthetic'];

/** Repositories in which LAION, and the author of its aesthetic heads, published models. */
const laionSources = /^(LAION-AI|christophschuhmann)\//;

/** Whether a model's file says that it is one of LAION's. */
export function isOfLaion(source: string | undefined): boolean {
  return laionSources.test(source ?? '');
}

/** Takes a column of tags/ for a model. Throws UsageError where it is another's, or LAION's and the model is not. */
export function claimColumn(taken: Set<string>, column: string, { what, ofLaion, leaveOut }: { what: string; ofLaion: boolean; leaveOut: string }): void {
  if (laionColumns.includes(column) && !ofLaion)
    throw new UsageError(
      `${what} would write the column ${column}, which holds the value of LAION's own model or nothing. Give it another name, which its file says; a model that is LAION's says so in its source (docs/tag.md).`,
    );
  if (column === 'hash' || taken.has(column))
    throw new UsageError(`${what} would write the column ${column}, which is taken. Leave one of them out of ${leaveOut}.`);
  taken.add(column);
}
