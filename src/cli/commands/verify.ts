import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import type { Storage } from '../../contracts/storage.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { recordedRun } from '../../runtime/recorded-run.ts';
import { type Finding, verifyRun } from '../../runtime/verify-run.ts';
import { openStorage } from '../../storage/open-storage.ts';
import type { Command } from '../command.ts';
import { locationOf } from './stage.ts';

const verifyOptions = z.object({ json: option(z.boolean().default(false), 'Print the findings as JSON on stdout', { decidesResult: false }) });

/** What the command that made the run makes again. */
const BROKEN: readonly Finding['kind'][] = ['damaged', 'missing', 'stale'];

/** Reads every byte of a run and compares it with the markers. */
export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Says what of a run is damaged, missing, stale, removed or left over: compares every file with its marker.',
  details:
    'Says what of a run is damaged, missing, stale (made from what has changed since), removed or left over: compares size and sha256 of every file with its marker, and every shard with what it was made from in this run. Changes nothing. Ends with 1 where something is damaged, missing or stale; the command that made the run makes it again.',
  positionals: 'RUN',
  options: verifyOptions,
  async run(args, io) {
    const [run, ...others] = args.positionals;
    if (run === undefined || others.length > 0) throw new UsageError('pairmill verify takes one run: pairmill verify RUN, a folder or an s3:// prefix.');
    const { json } = readOptions(verifyOptions, { flags: args.flags, environment: io.environment });
    const { settings } = await recordedRun(locationOf(run), io.environment);
    const findings: Finding[] = [];
    let [files, bytes] = [0, 0];
    const scratch = await mkdtemp(join(tmpdir(), 'pairmill-verify-'));
    try {
      const datasets: Record<string, Storage> = {};
      for (const [dataset, location] of Object.entries(settings.locations)) datasets[dataset] = await openStorage(location, io.environment);
      for await (const found of verifyRun(datasets, scratch, io.signal)) {
        if ('verified' in found) {
          files++;
          bytes += found.verified;
        } else findings.push(found);
      }
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
    const broken = findings.filter(({ kind }) => BROKEN.includes(kind)).length;
    if (json) io.out(`${JSON.stringify({ files, bytes, findings })}\n`);
    else {
      for (const { dataset, kind, shard, file, what } of findings) io.out(`${kind}: ${dataset}${shard ? ` ${shard}` : ''}${file ? ` ${file}` : ''}: ${what}\n`);
      io.out(
        `${files.toLocaleString('en')} ${files === 1 ? 'file is' : 'files are'} as written (${bytes.toLocaleString('en')} bytes); ${broken} damaged, missing or stale.\n`,
      );
    }
    return broken > 0 ? 1 : 0;
  },
};
