import { createServer } from 'node:net';
import { systemCode, UsageError } from '../contracts/errors.ts';

/** Throws UsageError where the port can't be listened on. Port 0 is always free. */
export async function assertPortFree(port: number, host: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, port, host)));
    server.listen(port, host, () => server.close(() => resolve()));
  });
}

/** What a failed listen means for the user. */
export function portError(error: unknown, port: number, host: string): Error {
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return new UsageError(`Port ${port} of ${host} is in use. Stop what listens there, or choose another with --port.`);
    case 'EACCES':
      return new UsageError(`Port ${port} of ${host} may not be opened by this user. Choose one from 1024 on with --port.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new UsageError(`${host} is no address of this machine. Give one that is with --host.`);
    default:
      return error instanceof Error ? error : new Error(String(error));
  }
}
