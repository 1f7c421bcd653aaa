import { serveOptions } from '../../server/options.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { assertReadableFolder } from '../check-paths.ts';
import type { Command } from '../command.ts';
import { serveUntilStopped } from '../serve-until-stopped.ts';

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Answers searches over an index: HTTP API (clip-retrieval compatible) and web page.',
  options: serveOptions,
  async run(args, io) {
    const options = readOptions(serveOptions, { flags: args.flags, environment: io.environment });
    await assertReadableFolder(options.input, '--input');
    return serveUntilStopped(options, io);
  },
};
