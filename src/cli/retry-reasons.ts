import { type DropReason, dropReasons } from '../contracts/drop-reason.ts';
import { UsageError } from '../contracts/errors.ts';
import type { Stage } from '../contracts/stage.ts';
import { MAY_HEAL } from '../net/fetch-error.ts';
import { nearest } from '../runtime/nearest.ts';

type Reason = DropReason<'download'>;

/** Words that people have for a reason. */
const ALIASES: Readonly<Record<string, Reason>> = {
  '5xx': 'http-server-error',
  '429': 'http-too-many-requests',
  dns: 'dns-failed',
  connection: 'connection-failed',
};

/** Whether such links may come another time. */
export function canHeal(reason: string): boolean {
  return MAY_HEAL.has(reason as Reason);
}

/** The reasons that --retry-failed may name. Of a duplicate there is nothing to try: the link before it was tried. */
export const retryWords: readonly string[] = [...Object.keys(dropReasons.download).filter((reason) => reason !== 'duplicate'), ...Object.keys(ALIASES)];

/** Reasons of the closed list for the words of --retry-failed. Throws UsageError where one is none, or nothing is downloaded. */
export function retryReasons(words: readonly string[], stages: readonly Stage[]): Reason[] {
  if (words.length === 0) return [];
  if (!stages.some(({ retries }) => retries)) throw new UsageError('--retry-failed: this command downloads no links. Leave it out.');
  return [...new Set(words.map(reasonOf))];
}

function reasonOf(word: string): Reason {
  if (word === 'duplicate')
    throw new UsageError(
      '--retry-failed duplicate: such a link came before in the same shard, and was tried there. Name the reason for which that one failed.',
    );
  if (retryWords.includes(word)) return ALIASES[word] ?? (word as Reason);
  const near = nearest(word, retryWords);
  throw new UsageError(
    `--retry-failed: ${JSON.stringify(word)} is no reason for which download drops links.${near === undefined ? '' : ` Did you mean ${near}?`} Those that may pass are ${[...MAY_HEAL].join(', ')}; docs/formats.md lists all.`,
  );
}
