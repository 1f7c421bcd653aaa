import { type PairmillError, RunError, systemCode, UsageError } from '../contracts/errors.ts';

/** What the operating system's codes mean, and what a person can do: everything that is no mistake of Pairmill's. */
const MEANINGS: Readonly<Record<string, { happened: string; next: string; exitCode?: 1 }>> = {
  EACCES: { happened: 'permission denied', next: 'Check who may read and write there (ls -ld shows it), or name another path' },
  EPERM: { happened: 'the operation is not permitted', next: 'Check who may read and write there (ls -ld shows it), or name another path' },
  EROFS: { happened: 'it lies on a read-only file system', next: 'Name a folder on a disk that can be written' },
  ENOENT: { happened: 'there is no such file or folder', next: 'Check the path' },
  ENOTDIR: { happened: 'a part of the path is a file where a folder is meant', next: 'Check the path' },
  EISDIR: { happened: 'it is a folder where a file is meant', next: 'Name the file' },
  EEXIST: { happened: 'it is there already', next: 'Name another path' },
  ENAMETOOLONG: { happened: 'the name is too long', next: 'Name a shorter path' },
  ELOOP: { happened: 'the links on the path lead in a circle', next: 'Check the links on the path' },
  ENOSPC: { happened: 'the disk is full', next: 'Free space and start the same command again: finished shards stay', exitCode: 1 },
  EDQUOT: { happened: 'the disk quota is used up', next: 'Free space and start the same command again: finished shards stay', exitCode: 1 },
  EMFILE: { happened: 'too many files are open', next: 'Raise the limit (ulimit -n 65536) and start the same command again', exitCode: 1 },
};

/** The error of a file or folder as a sentence with the next step; undefined for anything else. */
export function fileSystemError(error: unknown): PairmillError | undefined {
  const meaning = MEANINGS[systemCode(error) ?? ''];
  const path = (error as { path?: unknown } | undefined)?.path;
  if (meaning === undefined || typeof path !== 'string') return undefined;
  const text = `${path}: ${meaning.happened}. ${meaning.next}.`;
  return meaning.exitCode === 1 ? new RunError(text, { cause: error }) : new UsageError(text, { cause: error });
}
