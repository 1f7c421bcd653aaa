import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { counted } from '../../contracts/counted.ts';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import type { Storage } from '../../contracts/storage.ts';
import { pipeline } from '../../pipeline.ts';
import { damagedShards, type DamagedShard, markDamaged, unmarkWhole } from '../../runtime/mark-damage.ts';
import { allBefore } from '../../runtime/shard-digest.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { recordedRun } from '../../runtime/run-record.ts';
import { type Finding, verifyRun } from '../../runtime/verify-run.ts';
import { locationOf } from '../../storage/location.ts';
import { openStorage } from '../../storage/open-storage.ts';
import type { Command, CommandIo } from '../command.ts';
import { withLockedRun } from '../locked-run.ts';

const verifyOptions = z.object({
  mend: option(
    z.enum(['replaceable', 'all']).optional(),
    'Let the next command make damaged shards again. Without a value, those that can be made again from what the run has; all: drawn and downloaded ones too, whose links are asked for again',
    { bare: 'replaceable', often: true, decidesResult: false },
  ),
  json: option(z.boolean().default(false), 'Print the findings as JSON on stdout', { decidesResult: false }),
});

/** What the command that made the run makes again. */
const BROKEN: readonly Finding['kind'][] = ['damaged', 'missing', 'stale'];

/** Reads every byte of a run and compares it with the markers. */
export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Says what of a run is damaged, missing, stale, removed or left over: compares every file with its marker.',
  details:
    'Says what of a run is damaged, missing, stale (made from what has changed since), removed or left over: compares size and sha256 of every file with its marker, and every shard with what it was made from in this run. Changes nothing without --mend, which marks damaged shards, so that the command that made the run makes them again. Ends with 1 where something is damaged, missing or stale.',
  positionals: 'RUN',
  options: verifyOptions,
  async run(args, io) {
    const [run, ...others] = args.positionals;
    if (run === undefined || others.length > 0) throw new UsageError('pairmill verify takes one run: pairmill verify RUN, a folder or an s3:// prefix.');
    const { mend, json } = readOptions(verifyOptions, { flags: args.flags, environment: io.environment });
    const location = locationOf(run);
    const { settings } = await recordedRun(location, io.environment);
    const datasets: Record<string, Storage> = {};
    for (const [dataset, at] of Object.entries(settings.locations)) datasets[dataset] = await openStorage(at, io.environment);
    const look = async (held: CommandIo): Promise<{ found: Verified; mended: Mended | undefined }> => {
      const found = await verify(datasets, held.signal);
      return { found, mended: mend && (await mendDamage(datasets, found.findings, mend)) };
    };
    const { found, mended } = mend ? await withLockedRun(location, io, look) : await look(io);
    const broken = found.findings.filter(({ kind }) => BROKEN.includes(kind)).length;
    if (json) io.out(`${JSON.stringify({ ...found, ...mended })}\n`);
    else for (const line of [...findingLines(found, broken), ...mendedLines(mended)]) io.out(`${line}\n`);
    return broken > 0 ? 1 : 0;
  },
};

interface Verified {
  files: number;
  bytes: number;
  findings: Finding[];
}

async function verify(datasets: Readonly<Record<string, Storage>>, signal: AbortSignal): Promise<Verified> {
  const verified: Verified = { files: 0, bytes: 0, findings: [] };
  const scratch = await mkdtemp(join(tmpdir(), 'pairmill-verify-'));
  try {
    for await (const found of verifyRun(datasets, scratch, signal)) {
      if ('verified' in found) {
        verified.files++;
        verified.bytes += found.verified;
      } else verified.findings.push(found);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return verified;
}

/** What --mend has decided for each damaged shard, and for those that are whole again. */
interface Mended {
  toMake: { shard: string; cost: string | undefined }[];
  left: { shard: string; cost: string }[];
  whole: string[];
}

async function mendDamage(datasets: Readonly<Record<string, Storage>>, findings: readonly Finding[], mend: 'replaceable' | 'all'): Promise<Mended> {
  const damaged = await damagedShards(datasets, findings);
  const mended: Mended = { toMake: [], left: [], whole: [] };
  const left: DamagedShard[] = [];
  for (const each of inOrder(damaged)) {
    const shard = `${each.dataset} ${each.marker.shard}`;
    const cost = costOf(each);
    // What is made from a damaged shard has its damage.
    const source = left.find((other) => isMadeFrom(each, other));
    if (each.plain || mend === 'all' || (cost === undefined && source === undefined)) {
      await markDamaged(datasets[each.dataset]!, each);
      mended.toMake.push({ shard, cost });
    } else {
      left.push(each);
      mended.left.push({ shard, cost: cost ?? `it is made from ${source!.dataset} ${source!.marker.shard}, which is damaged too` });
    }
  }
  for (const [dataset, storage] of Object.entries(datasets)) {
    const isDamaged = (shard: string): boolean => damaged.some((each) => each.dataset === dataset && each.marker.shard === shard);
    mended.whole.push(...(await unmarkWhole(storage, isDamaged)).map((shard) => `${dataset} ${shard}`));
  }
  return mended;
}

/** By the stages that made them: what one is made from comes before it. */
function inOrder(damaged: readonly DamagedShard[]): DamagedShard[] {
  return damaged.toSorted((a, b) => stageIndex(a) - stageIndex(b));
}

function stageIndex({ marker }: DamagedShard): number {
  return pipeline.findIndex(({ name }) => name === marker.stage);
}

function isMadeFrom({ marker }: DamagedShard, { dataset, marker: { shard } }: DamagedShard): boolean {
  return Object.keys(marker.made_by.inputs).some((name) => name === dataset || name === `${dataset}/${shard}` || name === allBefore(dataset, shard));
}

/** What making a shard again asks of others, where it can't be made from what the run has. */
function costOf({ marker }: DamagedShard): string | undefined {
  if (!pipeline.find(({ name }) => name === marker.stage)?.irreplaceable) return undefined;
  const links = counted(marker.in, 'links');
  return marker.stage === 'draw'
    ? `${links} are drawn for it again. Where these are others than before, download is refused until --redo download or --accept-changed is given`
    : `its ${links} are asked for again, and pictures that have vanished from the web since are lost`;
}

function findingLines({ files, bytes, findings }: Verified, broken: number): string[] {
  return [
    ...findings.map(({ dataset, kind, shard, file, what }) => `${kind}: ${dataset}${shard ? ` ${shard}` : ''}${file ? ` ${file}` : ''}: ${what}`),
    `${files.toLocaleString('en')} ${files === 1 ? 'file is' : 'files are'} as written (${bytes.toLocaleString('en')} bytes); ${broken} damaged, missing or stale.`,
  ];
}

function mendedLines(mended: Mended | undefined): string[] {
  if (!mended) return [];
  const { toMake, left, whole } = mended;
  return [
    ...toMake.map(({ shard, cost }) => `The next command of the run makes ${shard} again${cost === undefined ? '' : `: ${cost}`}.`),
    ...left.map(({ shard, cost }) => `${shard} stays as it is. --mend=all lets the next command make it again: ${cost}.`),
    ...whole.map((shard) => `${shard} is whole again, and is not made again.`),
    ...(toMake.length + left.length + whole.length === 0 ? ['No file is damaged, so nothing is to be mended.'] : []),
  ];
}
