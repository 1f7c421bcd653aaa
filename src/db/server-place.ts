import { chmod, chown, mkdir, mkdtemp, realpath, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunError } from '../contracts/errors.ts';
import { copyPostgres, installedPostgres, linkLibraries, type PostgresPrograms, programEnvironment } from './postgres-package.ts';
import { canEnter, runAs, type ServerAccount } from './server-account.ts';
import { readServerRecord, type ServerRecord, writeServerRecord } from './server-record.ts';

/** sun_path holds 108 bytes on Linux and 104 on macOS, the file name `.s.PGSQL.5432` and a NUL included. */
const MAX_SOCKET_FOLDER_BYTES = 104 - '/.s.PGSQL.5432'.length - 1;

/**
 * The folder for data/ and runtime/: `home` (in the run folder) where the account can reach it, else a private one
 * under /var/tmp, which the record names and later starts use again. Throws RunError where that one has gone.
 */
export async function serverPlace(home: string, account: ServerAccount): Promise<ServerRecord> {
  const known = await readServerRecord(home);
  if (known) {
    if (known.initialised && !(await exists(join(known.place, 'data', 'PG_VERSION')))) {
      throw new RunError(
        `The database of this run was in ${known.place}/data and is gone. Its links can't be had back: ` +
          `remove ${home} and the folders of the ingest stage and of those after it, and start again.`,
      );
    }
    if (await canEnter(account, known.place)) return known;
    if (known.initialised) {
      throw new RunError(`The database in ${known.place} was made by another user. Run as that user, or give a server with --db postgres://….`);
    }
  }
  let place = home;
  if (!(await canEnter(account, home))) {
    place = await mkdtemp((await exists('/var/tmp')) ? '/var/tmp/pairmill-' : join(tmpdir(), 'pairmill-'));
    await chmod(place, 0o711);
  }
  const record = { place, initialised: false };
  await writeServerRecord(home, record);
  return record;
}

/** The programs that the account can run: the package's own, else a copy in `place`. Throws RunError where neither starts. */
export async function serverPrograms(place: string, account: ServerAccount): Promise<PostgresPrograms> {
  const installed = installedPostgres();
  const linked = await linkLibraries(installed, join(place, 'lib'));
  if ((await whyNot(linked, account)) === undefined) return linked;
  const copy = await linkLibraries(await copyPostgres(installed, place), join(place, 'lib'));
  const reason = await whyNot(copy, account);
  if (reason === undefined) return copy;
  throw new RunError(`PostgreSQL from ${installed} does not start: ${reason}. Give a server with --db postgres://…, or install a system with glibc.`);
}

/** A new folder with a short path for the socket, which only the account can enter. */
export async function socketFolder(account: ServerAccount): Promise<string> {
  const parent = (await exists('/tmp')) ? '/tmp' : tmpdir();
  const folder = await realpath(await mkdtemp(join(parent, 'pairmill-')));
  if (Buffer.byteLength(folder) > MAX_SOCKET_FOLDER_BYTES) {
    throw new RunError(
      `The path of the temporary folder ${folder} is too long for a Unix socket (${MAX_SOCKET_FOLDER_BYTES} bytes). Set TMPDIR to a shorter one.`,
    );
  }
  await give(folder, account);
  return folder;
}

/** A folder that the account owns. */
export async function ownedFolder(path: string, account: ServerAccount): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await give(path, account);
}

async function give(path: string, account: ServerAccount): Promise<void> {
  if (account.how === 'nobody') await chown(path, account.uid, account.gid);
}

async function whyNot(programs: PostgresPrograms, account: ServerAccount): Promise<string | undefined> {
  try {
    for (const program of ['initdb', 'postgres']) await runAs(account, join(programs.root, 'bin', program), ['--version'], programEnvironment(programs));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
