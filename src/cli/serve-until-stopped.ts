import type { ServeOptions } from '../server/options.ts';
import type { CommandIo } from './command.ts';

/** Starts the server, says where it listens, and keeps it until the command is stopped. */
export async function serveUntilStopped(options: ServeOptions, io: CommandIo): Promise<0> {
  // Loaded here, so that commands that serve nothing start sooner.
  const { startServer } = await import('../server/start-server.ts');
  const server = await startServer(options, { warn: (line) => io.err(`${line}\n`), environment: io.environment });
  io.out(`Search at ${server.url}  (stop with Ctrl-C)\n`);
  if (!io.signal.aborted) await new Promise((resolve) => io.signal.addEventListener('abort', resolve, { once: true }));
  await server.close();
  return 0;
}
