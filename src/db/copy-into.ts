import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { copyHeader, copyTrailer } from './copy-buffer.ts';
import type { LosableConnection } from './losable-connection.ts';

/**
 * `COPY target FROM STDIN` of rows in the binary format. Throws the server's error. That comes in two ways: before all is sent it
 * ends the stream; after, the driver has forgotten the stream and would leave it unfinished for ever, so the query is asked too.
 */
export async function copyInto({ sql, signal }: LosableConnection, target: string, rows: AsyncIterable<Buffer>): Promise<void> {
  async function* all(): AsyncGenerator<Buffer> {
    yield copyHeader;
    yield* rows;
    yield copyTrailer;
  }
  const query = sql.unsafe(`COPY ${target} FROM STDIN (FORMAT binary)`);
  const stream = await query.writable();
  const failed = new Promise<never>((_resolve, reject) => {
    // The driver calls it with an error of the server; as a promise the query is fulfilled by now.
    (query as unknown as { reject: (error: Error) => void }).reject = reject;
  });
  failed.catch(() => undefined);
  await Promise.race([failed, pipeline(Readable.from(all(), { objectMode: true }), stream, { signal })]);
}
