import { mkdir, open, readFile, realpath, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../contracts/errors.ts';

/** Which folder a database was made for. A copy of it has another path, and another inode if it took the path's place. */
const HomeIdentity = z.object({
  /** Real path of the run folder. */
  folder: z.string(),
  /** Of its `postgres/`. */
  device: z.string(),
  inode: z.string(),
});

/** `postgres/server.json` of a run folder: where the things of its server are. */
const ServerRecord = z.object({
  /** Holds data/ and, where one was needed, the copy of the programs; the run folder's postgres/ or one under /var/tmp. */
  serverRoot: z.string(),
  madeFor: HomeIdentity,
  /** Folder of the socket of the last start; removed at stop or at the next start. Checked, as its content is removed. */
  socketFolder: z
    .string()
    .regex(/\/pairmill-\w{6}$/)
    .optional(),
});
export type ServerRecord = z.infer<typeof ServerRecord>;

/** A run folder as its server sees it. */
export interface ServerHome {
  /** Real path of its `postgres/`. */
  readonly path: string;
  readonly identity: z.infer<typeof HomeIdentity>;
}

/** The home in a run folder, which is made where it is not there. */
export async function openServerHome(folder: string): Promise<ServerHome> {
  await mkdir(folder, { recursive: true });
  // Not `recursive`, which says ENOENT on a read-only file system (Node 24).
  await mkdir(join(folder, 'postgres')).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error;
  });
  const path = await realpath(join(folder, 'postgres'));
  const { dev, ino } = await stat(path, { bigint: true });
  return { path, identity: { folder: await realpath(folder), device: String(dev), inode: String(ino) } };
}

/** `none` before the first start; `strange` where it is another folder's, or can't be read. */
export async function readServerRecord(home: ServerHome): Promise<ServerRecord | 'none' | 'strange'> {
  let text;
  try {
    text = await readFile(join(home.path, 'server.json'), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'none';
    throw error;
  }
  const record = ServerRecord.safeParse(parseJson(text)).data;
  return record && JSON.stringify(record.madeFor) === JSON.stringify(home.identity) ? record : 'strange';
}

export async function writeServerRecord(home: ServerHome, record: Omit<ServerRecord, 'madeFor'>): Promise<ServerRecord> {
  const path = join(home.path, 'server.json');
  const whole = ServerRecord.parse({ ...record, madeFor: home.identity });
  const file = await open(`${path}.partial`, 'w');
  try {
    await file.writeFile(`${JSON.stringify(whole, null, 2)}\n`);
    // Renamed without this, it may be empty after a power cut.
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.partial`, path);
  return whole;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
