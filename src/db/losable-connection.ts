import postgres from 'postgres';
import type { Database } from './client.ts';

/** One connection of its own, for a transaction of several statements. */
export interface LosableConnection {
  readonly sql: Database;
  /** Aborted when the server goes away or ends the connection. */
  readonly signal: AbortSignal;
  /** Rejects then. The driver's COPY stream waits for ever on a lost connection, so the work is raced with this. */
  readonly lost: Promise<never>;
}

/** Another connection to the server of `sql`. The caller ends it. */
export function openConnection(sql: Database): LosableConnection {
  const controller = new AbortController();
  const lost = new Promise<never>((_resolve, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error));
  });
  lost.catch(() => undefined);
  const onclose = (): void => controller.abort(new Error('the connection to the database was lost'));
  const own = postgres({
    ...(sql.options as unknown as postgres.Options<{ bigint: postgres.PostgresType<bigint> }>),
    max: 1,
    idle_timeout: null as unknown as number,
    max_lifetime: null,
    onclose,
  });
  return { sql: own, signal: controller.signal, lost };
}
