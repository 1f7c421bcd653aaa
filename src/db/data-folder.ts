import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, RunError } from '../contracts/errors.ts';
import { type PostgresPrograms, programEnvironment } from './postgres-package.ts';
import { runAs, type ServerAccount } from './server-account.ts';
import { ownedFolder } from './server-place.ts';

/**
 * Makes `place/data` with initdb (0.7 s) unless it is there. It is made under another name and renamed, so that a
 * kill in the middle leaves nothing that looks like a database. Throws RunError with initdb's words.
 */
export async function makeDataFolder(place: string, programs: PostgresPrograms, account: ServerAccount): Promise<string> {
  const data = join(place, 'data');
  if (await stat(join(data, 'PG_VERSION')).catch(() => undefined)) return data;
  // The account may own nothing in `place` but what it is given, so a folder of its own holds the unfinished one.
  const work = join(place, 'initdb');
  await rm(work, { recursive: true, force: true });
  await ownedFolder(work, account);
  const fresh = join(work, 'data');
  try {
    // Text sorts by its bytes, on every machine alike. `trust`: only who can enter the socket's folder gets to ask.
    const args = ['-D', fresh, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-instructions'];
    await runAs(account, join(programs.root, 'bin', 'initdb'), args, programEnvironment(programs));
  } catch (cause) {
    throw new RunError(`PostgreSQL's initdb failed in ${place}: ${messageOf(cause).trim()}`, { cause });
  }
  await rename(fresh, data);
  await rm(work, { recursive: true, force: true });
  return data;
}
