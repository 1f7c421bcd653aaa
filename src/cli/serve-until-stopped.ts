import type { CommandIo } from './command.ts';

/** Starts a server, says where it listens, and keeps it until SIGINT or SIGTERM. */
export async function serveUntilStopped(start: () => Promise<{ url: string; close(): Promise<void> }>, io: CommandIo): Promise<0> {
  const server = await start();
  io.out(`Search at ${server.url}  (stop with Ctrl-C)\n`);
  if (!io.signal.aborted) await new Promise((resolve) => io.signal.addEventListener('abort', resolve, { once: true }));
  await server.close();
  return 0;
}
