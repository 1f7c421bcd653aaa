import postgres from 'postgres';
import type { Database } from './client.ts';
import { CONNECTION_LOST } from './database-error.ts';

/** One connection of its own, for a transaction of several statements. */
export interface LosableConnection {
  readonly sql: Database;
  /** Aborted when the server goes away or ends the connection, or when `stop` is. */
  readonly signal: AbortSignal;
  /** Rejects then. The driver's COPY stream waits for ever on a lost connection, so the work is raced with this. */
  readonly lost: Promise<never>;
}

/** Another connection to the server of `sql`. The caller ends it. */
export function openConnection(sql: Database, stop?: AbortSignal): LosableConnection {
  const controller = new AbortController();
  const signal = stop ? AbortSignal.any([controller.signal, stop]) : controller.signal;
  const lost = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(signal.reason as Error);
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail, { once: true });
  });
  lost.catch(() => undefined);
  const onclose = (): void => controller.abort(new Error(CONNECTION_LOST));
  const own = postgres({
    ...(sql.options as unknown as postgres.Options<{ bigint: postgres.PostgresType<bigint> }>),
    max: 1,
    idle_timeout: null as unknown as number,
    max_lifetime: null,
    onclose,
  });
  return { sql: own, signal, lost };
}
