import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** `postgres/server.json` of a run folder: where its server's things lie outside the folder. */
const ServerRecord = z.object({
  /** Holds data/ and, where one was needed, the copy of the programs; the run folder's postgres/ or one under /var/tmp. */
  place: z.string(),
  /** True once data/ was made: from then on its absence is a loss, not a first start. */
  initialised: z.boolean(),
  /** Folder of the socket of the last start; removed at stop or at the next start. */
  socketFolder: z.string().optional(),
});
export type ServerRecord = z.infer<typeof ServerRecord>;

/** The record, or undefined before the first start. Throws where the file is not ours. */
export async function readServerRecord(home: string): Promise<ServerRecord | undefined> {
  const text = await readFile(join(home, 'server.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : ServerRecord.parse(JSON.parse(text));
}

export async function writeServerRecord(home: string, record: ServerRecord): Promise<void> {
  const path = join(home, 'server.json');
  await writeFile(`${path}.partial`, `${JSON.stringify(record, null, 2)}\n`);
  await rename(`${path}.partial`, path);
}
