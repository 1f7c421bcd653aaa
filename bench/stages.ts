import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { writeParquet } from '../src/formats/parquet-writer.ts';
import { photographs } from '../test/local-paths.ts';
import { writeWat } from './extract/wat-corpus.ts';
import type { BenchResult } from './main.ts';
import { median } from './rounds/median.ts';
import { timedCommand } from './rounds/timed-command.ts';

const root = join(import.meta.dirname, '..');

/**
 * The commands of single stages in turn with those of another checkout, each stage on the same input, one worker: extract of a
 * generated WAT, dedup of its candidates, download of photographs from loopback where recipes/photographs has made them.
 * Usage: npm run bench -- stages --other CHECKOUT [--rounds N] [--megabytes N] [--links N]
 */
export async function run(args: string[]): Promise<BenchResult> {
  const { values } = parseArgs({
    args,
    options: {
      other: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      megabytes: { type: 'string', default: '200' },
      links: { type: 'string', default: '1000' },
    },
  });
  if (values.other === undefined) throw new Error('Give the checkout to compare with: npm run bench -- stages --other CHECKOUT');
  const checkouts = [root, resolve(values.other)];
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-bench-'));
  const origin = await startOrigin();
  try {
    const wat = join(folder, 'generated.warc.wat.gz');
    await writeWat(wat, Number(values.megabytes));
    const list = join(folder, 'list.parquet');
    const links = Array.from({ length: Number(values.links) }, (_, i) => ({ url: `http://host-${i % 50}.example/${i}.jpg`, text: `photograph ${i}` }));
    await writeParquet(list, z.object({ url: z.string(), text: z.string() }), links, { codec: 'SNAPPY' });
    const stages = [
      { name: 'extract', input: () => wat, more: [] },
      { name: 'dedup', input: (made: string) => join(made, 'extract'), more: [] },
      ...(origin ? [{ name: 'download', input: () => list, more: ['--connect-to', `::127.0.0.1:${origin.port}`] }] : []),
    ];
    const rows: BenchResult['rows'] = [];
    const ratios: Record<string, number> = {};
    for (const { name, input, more } of stages) {
      const cpu = checkouts.map((): number[] => []);
      for (let round = 0; round < Number(values.rounds); round++) {
        for (const [i, checkout] of checkouts.entries()) {
          const made = join(folder, String(i));
          const output = join(made, name);
          await rm(output, { recursive: true, force: true });
          const node = join(checkout, 'node_modules/.bin/node');
          // As a user starts it: it keeps what Node has compiled, where the checkout has that.
          const command = [node, 'bin/pairmill.js', name, '--input', input(made), '--output', output, '--workers', '1', '--quiet', ...more];
          const { seconds, cpuSeconds } = await timedCommand(['env', '-C', checkout, ...command]);
          cpu[i]!.push(cpuSeconds);
          rows.push({ stage: name, checkout: i === 0 ? 'this' : 'other', seconds, 'CPU seconds': cpuSeconds });
        }
      }
      ratios[`${name}_cpu`] = median(cpu[0]!) / median(cpu[1]!);
    }
    return { title: `stages: single commands in turn with ${values.other}, start-up included (less than 1 is less time)`, rows, ratios };
  } finally {
    origin?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function startOrigin(): Promise<{ port: number; stop(): void } | undefined> {
  const pictures = join(photographs, 'web');
  if (!existsSync(pictures)) return undefined;
  const child = spawn(process.execPath, [join(import.meta.dirname, 'download/origin.ts'), pictures], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((done) => child.stdout.once('data', (line: Buffer) => done(Number(line.toString()))));
  return { port, stop: () => void child.kill() };
}
