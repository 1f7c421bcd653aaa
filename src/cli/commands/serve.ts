import { startServer } from '../../server/start-server.ts';
import { serveOptions } from '../../server/options.ts';
import { readOptions } from '../../runtime/read-options.ts';
import type { Command } from '../command.ts';
import { serveUntilStopped } from '../serve-until-stopped.ts';

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Answers searches over an index: HTTP API (clip-retrieval compatible) and web page.',
  options: serveOptions,
  run(args, io) {
    const options = readOptions(serveOptions, { flags: args.flags, environment: io.environment });
    return serveUntilStopped(() => startServer(options, { warn: (line) => io.err(`${line}\n`) }), io);
  },
};
