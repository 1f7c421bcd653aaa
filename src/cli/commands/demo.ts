import { join, resolve } from 'node:path';
import { z } from 'zod';
import { generateEmojiWeb } from '../../../examples/emoji-web/generate.ts';
import { startOriginThread } from '../../../examples/emoji-web/origin.ts';
import { option } from '../../contracts/option.ts';
import { pipeline } from '../../pipeline.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { runOptions } from '../../runtime/run-options.ts';
import { assertPortFree } from '../../server/assert-port-free.ts';
import { serveOptions } from '../../server/options.ts';
import type { Command } from '../command.ts';
import { createProgress } from '../progress.ts';
import { runSession } from '../run-session.ts';
import { serveUntilStopped } from '../serve-until-stopped.ts';

const demoOptions = z.object({
  runDir: option(z.string().default('pairmill-run'), 'Run folder: everything is written here', { value: 'DIR', decidesResult: false }),
  serve: option(z.boolean().default(true), 'End after the run instead of serving the search page', { decidesResult: false }),
  port: serveOptions.shape.port,
  seed: option(z.int().default(1), 'Seed of the example crawl'),
  candidates: option(z.int().min(100).default(20_000), 'Picture and caption pairs in the example crawl; fewer make a quicker run'),
});

/**
 * Where the example crawl differs from the web: the mini model, small batches, stalled bodies given up soon. No white
 * borders: on them the small model keeps 2.5 points less of the right captions.
 */
function demoStageOptions(connectTo: string[], candidates: number): Record<string, Record<string, unknown>> {
  const config: Record<string, Record<string, unknown>> = {
    download: {
      'connect-to': connectTo,
      timeout: 3,
      'resize-mode': 'keep_ratio',
      'max-bytes': 20_000_000,
      'number-sample-per-shard': Math.max(100, Math.ceil(candidates / 8)),
    },
    filter: { model: 'mini', 'multilingual-model': 'mini' },
    // Several parts, so that all workers have one.
    embed: { model: 'mini', 'shards-per-part': 2 },
    tag: { model: 'mini' },
  };
  return Object.fromEntries(pipeline.map((stage) => [stage.name, readOptions(stage.options, { config: config[stage.name], configName: 'demo' })]));
}

export const demoCommand: Command = {
  name: 'demo',
  summary: 'The whole way once: makes a small real web of emoji pictures, crawls, filters, indexes and serves it.',
  options: z.object({ ...demoOptions.shape, ...runOptions.shape }),
  async run(args, io) {
    const sources = { flags: args.flags, environment: io.environment };
    const { runDir: folder, serve, port, seed, candidates } = readOptions(demoOptions, sources);
    const run = { ...readOptions(runOptions, sources) };
    // The demo is where people look at what was dropped, and small enough to keep it all.
    if (args.flags['rejects'] === undefined) run.rejects = 'all';
    const runDir = resolve(folder);
    // Better now than after three minutes of work.
    if (serve) await assertPortFree(port, '127.0.0.1');
    const crawl = join(runDir, 'crawl');
    const progress = createProgress(io, run.quiet);
    progress.start('crawl', 'pictures', undefined);
    let done = 0;
    const manifest = await generateEmojiWeb({
      folder: crawl,
      seed,
      candidates,
      onProgress: (now) => {
        progress.add({ in: now - done });
        done = now;
      },
    });
    progress.stop(`crawl: an example web of ${manifest.hosts.length} hosts in ${crawl}`);
    const origin = await startOriginThread({ folder: crawl });
    let code: 0 | 1;
    try {
      const options = demoStageOptions(origin.connectTo, candidates);
      code = await runSession(
        { stages: pipeline, options, runDir, elsewhere: { extract: { input: join(crawl, 'wat', '*.warc.wat.gz') } }, summary: true, run },
        io,
      );
    } finally {
      await origin.close();
    }
    if (code !== 0 || !serve) return code;
    const { startServer } = await import('../../server/start-server.ts');
    return serveUntilStopped(() => startServer({ ...readOptions(serveOptions, sources), input: runDir, port }, { warn: (line) => io.err(`${line}\n`) }), io);
  },
};
