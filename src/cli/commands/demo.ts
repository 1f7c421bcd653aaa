import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { counted } from '../../contracts/counted.ts';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import { generateEmojiWeb } from '../../demo/generate.ts';
import { startOriginThread } from '../../demo/origin.ts';
import { routes } from '../../pipeline.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { readRunRecord } from '../../runtime/run-record.ts';
import { type RunOptions, runOptions } from '../../runtime/run-options.ts';
import { assertPortFree } from '../../server/assert-port-free.ts';
import { serveOptions } from '../../server/options.ts';
import { isUrl, locationOf } from '../../storage/location.ts';
import { openStorage } from '../../storage/open-storage.ts';
import { assertWritableFolder } from '../check-paths.ts';
import type { Command, CommandIo } from '../command.ts';
import { dryRun } from '../dry-run.ts';
import { createProgress } from '../progress.ts';
import { withLockedRun } from '../locked-run.ts';
import { runSession } from '../run-session.ts';
import type { Session } from '../session.ts';
import { serveUntilStopped } from '../serve-until-stopped.ts';

const demoOptions = z.object({
  runDir: option(z.string().default('pairmill-run'), 'Run folder: everything is written here', {
    value: 'DIR',
    path: 'one',
    often: true,
    decidesResult: false,
  }),
  serve: option(z.boolean().default(true), 'Serve the search page when the run has ended', { often: true, decidesResult: false }),
  port: serveOptions.shape.port,
  seed: option(z.int().default(1), 'Seed of the example crawl', { often: true }),
  candidates: option(z.int().min(100).default(20_000), 'Picture and caption pairs in the example crawl; fewer make a quicker run', { often: true }),
  model: option(z.string().default('mini'), 'Model of filter, embed and tag: an id, a folder, or hf://OWNER/NAME (docs/models.md)', {
    value: 'MODEL',
    path: 'name',
  }),
  threshold: option(z.number().min(-1).max(1).optional(), "Smallest similarity that filter keeps; the model's own where none is given"),
});

type DemoOptions = Pick<z.output<typeof demoOptions>, 'candidates' | 'model' | 'threshold'>;

/**
 * Where the example crawl differs from the web: the mini model, small batches, stalled bodies given up soon. No white
 * borders: on them the small model keeps 2.5 points less of the right captions.
 */
function demoStageOptions(connectTo: string[], { candidates, model, threshold }: DemoOptions): Record<string, Record<string, unknown>> {
  const config: Record<string, Record<string, unknown>> = {
    download: {
      'connect-to': connectTo,
      // All its hosts are on loopback.
      contact: 'http://pairmill.test/',
      timeout: 3,
      'resize-mode': 'keep_ratio',
      'max-bytes': 20_000_000,
    },
    draw: { 'number-sample-per-shard': Math.max(100, Math.ceil(candidates / 8)) },
    // Nothing on it is NSFW, whatever the model.
    filter: { model, 'multilingual-model': model, 'nsfw-categories': 'none', ...(threshold !== undefined && { threshold }) },
    // Several parts, so that all workers have one.
    embed: { model, 'shards-per-part': 2 },
    tag: { model },
  };
  return Object.fromEntries(routes.crawl.map((stage) => [stage.name, readOptions(stage.options, { config: config[stage.name], configName: 'demo' })]));
}

export const demoCommand: Command = {
  name: 'demo',
  summary: 'Shows everything on an example: makes a small web of emoji pictures, downloads, filters and indexes it, and serves a search page.',
  options: z.object({ ...demoOptions.shape, ...runOptions.shape }),
  async run(args, io) {
    const sources = { flags: args.flags, environment: io.environment };
    const { runDir, serve, port, seed, ...demo } = readOptions(demoOptions, sources);
    const { candidates } = demo;
    const run = { ...readOptions(runOptions, sources) };
    // The demo is where people look at what was dropped, and small enough to keep it all.
    if (args.flags['rejects'] === undefined) run.rejects = 'all';
    const location = locationOf(runDir);
    // Better now than after three minutes of work.
    if (serve) await assertPortFree(port, '127.0.0.1');
    if (run.dryRun) return demoDryRun(location, demo, run, io);
    const code = await withLockedRun(location, io, async (held) => {
      const crawl = await makeCrawl(location, { seed, candidates, quiet: run.quiet }, held);
      const origin = await startOriginThread({ folder: crawl });
      try {
        return await runSession({ ...demoSession(location, crawl, origin.connectTo, demo, run), goesOn: serve }, held);
      } finally {
        await origin.close();
      }
    });
    if (code !== 0 || !serve) return code;
    return serveUntilStopped({ ...readOptions(serveOptions, sources), input: location, port }, io);
  },
};

const crawlFilesOf = (crawl: string): string => join(crawl, 'wat', '*.warc.wat.gz');

function demoSession(location: string, crawl: string, connectTo: string[], demo: DemoOptions, run: RunOptions): Session {
  const options = demoStageOptions(connectTo, demo);
  return { stages: routes.crawl, options, location, unread: ['lists'], inputs: { extract: crawlFilesOf(crawl) }, summary: true, run };
}

async function demoDryRun(location: string, demo: DemoOptions, run: RunOptions, io: CommandIo): Promise<0> {
  const crawl = await crawlFolder(location, io);
  await assertWritableFolder(location, '--run-dir');
  if (existsSync(join(crawl, 'complete.json'))) return dryRun(demoSession(location, crawl, [], demo, run), io);
  io.out(
    `The demo would make an example web of about ${counted(demo.candidates, 'pictures')} in ${crawl}, and then run ${routes.crawl.map(({ name }) => name).join(', ')} on it in ${location}.\n` +
      'Rows, bytes and hours of the stages are unknown until the example web is there. Nothing was made.\n',
  );
  return 0;
}

/** The folder of the example web. Throws UsageError where the run is another than a demo's: its folder is left as it is. */
async function crawlFolder(location: string, io: CommandIo): Promise<string> {
  // The files that the origin serves are local, wherever the run lies.
  const crawl = isUrl(location) ? join(tmpdir(), `pairmill-demo-${createHash('sha256').update(location).digest('hex').slice(0, 16)}`) : join(location, 'crawl');
  const { inputs, options } = await readRunRecord(await openStorage(location, io.environment));
  const known = inputs['extract'];
  if (known === undefined ? Object.keys(options).length > 0 : !crawlFilesOf(crawl).endsWith(known))
    throw new UsageError(
      `${location} is the run of ${known === undefined ? 'other data' : `another crawl (${known})`}. Give the demo another folder with --run-dir.`,
    );
  return crawl;
}

/** Makes the example web; returns its folder. */
async function makeCrawl(location: string, { seed, candidates, quiet }: { seed: number; candidates: number; quiet: boolean }, io: CommandIo): Promise<string> {
  const crawl = await crawlFolder(location, io);
  const progress = createProgress(io, quiet);
  let made = 0;
  const manifest = await generateEmojiWeb({
    folder: crawl,
    seed,
    candidates,
    onProgress: (now) => {
      made = now;
      progress.update({ name: 'crawl', unit: 'pictures', state: 'running', in: now, out: now, dropped: 0, shards: { finished: 0, running: 1, planned: 1 } });
    },
  });
  progress.stop();
  const pictures = made > 0 ? `with ${counted(made, 'pictures')} is made in ${crawl}` : `is already there, in ${crawl}`;
  if (!quiet) io.err(`crawl: an example web of ${counted(manifest.hosts.length, 'hosts')} ${pictures}\n`);
  return crawl;
}
