import { createHash } from 'node:crypto';
import { lstat, mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isUrl } from '../storage/location.ts';

/**
 * Where a run keeps what only this machine needs, its database and copies of remote files: the run's own folder, whose disk is
 * large enough for its data, or for a run in S3 a folder below the system's temporary one. That has a name which nobody can guess
 * and prepare, is for this user alone, and is found again by the next start; where it is gone, what was in it is made again.
 */
export async function localHome(location: string): Promise<string> {
  if (!isUrl(location)) return location;
  const prefix = `pairmill-${createHash('sha256').update(location).digest('hex').slice(0, 16)}-`;
  const found = (await readdir(tmpdir())).filter((name) => name.startsWith(prefix)).sort();
  for (const name of found) if (await isOurs(join(tmpdir(), name))) return join(tmpdir(), name);
  return mkdtemp(join(tmpdir(), prefix));
}

/** Where shards keep what they need for a while. */
export async function scratchRoot(location: string): Promise<string> {
  return join(await localHome(location), '.scratch');
}

/** Whether it is a folder, and no link to one, that only this user can have made and can read. */
async function isOurs(path: string): Promise<boolean> {
  const info = await lstat(path).catch(() => undefined);
  return info !== undefined && info.isDirectory() && info.uid === process.getuid?.() && (info.mode & 0o077) === 0;
}
