import { join } from 'node:path';
import { messageOf, RunError } from '../contracts/errors.ts';
import { copyPostgres, installedPostgres, linkLibraries, type PostgresPrograms, programEnvironment } from './postgres-package.ts';
import { runAs, type ServerAccount } from './server-account.ts';

/** Programs that were seen to run. */
export interface ServerPrograms extends PostgresPrograms {
  /** Major version, as in a data folder's PG_VERSION. */
  readonly major: string;
}

/** The programs that the account can run: the package's own, else a copy in `serverRoot`. Throws RunError where neither starts. */
export async function serverPrograms(serverRoot: string, account: ServerAccount): Promise<ServerPrograms> {
  const installed = installedPostgres();
  const linked = await linkLibraries(installed, join(serverRoot, 'lib'));
  const tried = await tryPrograms(linked, account);
  if ('major' in tried) return { ...linked, ...tried };
  const copy = await linkLibraries(await copyPostgres(installed, serverRoot), join(serverRoot, 'lib'));
  const triedCopy = await tryPrograms(copy, account);
  if ('major' in triedCopy) return { ...copy, ...triedCopy };
  throw new RunError(`PostgreSQL from ${installed} does not start: ${triedCopy.reason}. Give a server with --db postgres://…, or install a system with glibc.`);
}

async function tryPrograms(programs: PostgresPrograms, account: ServerAccount): Promise<{ major: string } | { reason: string }> {
  try {
    const version = (name: string): Promise<string> => runAs(account, join(programs.root, 'bin', name), ['--version'], programEnvironment(programs));
    await version('initdb');
    return { major: /\) (\d+)/.exec(await version('postgres'))?.[1] ?? '' };
  } catch (error) {
    return { reason: messageOf(error).trim() };
  }
}
