import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import { packageRoot } from '../../contracts/package-root.ts';
import { readOptions } from '../../runtime/read-options.ts';
import type { Command } from '../command.ts';

const docsOptions = z.object({ check: option(z.boolean().default(false), 'Only say which files are out of date; exit code 1 if any') });

/** Writes the generated references of docs/, or checks that they are up to date. */
export const docsCommand: Command = {
  name: 'docs',
  summary: 'Writes docs/cli.md, docs/config.md and the generated tables.',
  hidden: true,
  options: docsOptions,
  async run(args, io) {
    const { check } = readOptions(docsOptions, { flags: args.flags });
    // Loaded here: it lists the commands, of which this is one.
    const { generatedDocs } = await import('../generated-docs.ts');
    let stale = 0;
    for (const { path, content } of await generatedDocs()) {
      const file = join(packageRoot(), path);
      const before = await readFile(file, 'utf8').catch((error: unknown) => {
        if (systemCode(error) === 'ENOENT') return '';
        throw error;
      });
      if (before === content) continue;
      stale++;
      if (check) io.err(`${path} is out of date: run node src/cli/main.ts docs\n`);
      else {
        await writeFile(file, content);
        io.err(`${path} written\n`);
      }
    }
    return check && stale > 0 ? 1 : 0;
  },
};
