import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import { option } from '../../contracts/option.ts';
import { setNames } from '../../contracts/records.ts';
import { languageOptions, residentDetector } from '../../language/language-options.ts';
import { encodeAhead } from '../../models/encode-ahead.ts';
import { headFiles, loadHeads } from '../../models/heads/model-heads.ts';
import { modelSettings } from '../../models/model-settings.ts';
import { modelFrom } from '../../models/shared-models.ts';
import { findingsOf, type ProbeFindings } from '../../probe/probe-findings.ts';
import { drawSamples } from '../../probe/probe-input.ts';
import { SampleProbe } from '../../probe/probe-samples.ts';
import { reportPage } from '../../probe/report-page.ts';
import { suggestedConfig } from '../../probe/suggested-config.ts';
import { readOptions } from '../../runtime/read-options.ts';
import { ResourcePool } from '../../runtime/resource-pool.ts';
import { SharedThreads } from '../../runtime/shared-threads.ts';
import { filterOptions, multilingualModel } from '../../stages/filter/options.ts';
import { languageThresholds, thresholdsOf } from '../../stages/filter/thresholds.ts';
import { tagOptions } from '../../stages/tag/options.ts';
import { S3Objects } from '../../storage/s3-objects.ts';
import type { Command, CommandIo } from '../command.ts';
import { renderTable } from '../table.ts';

const { keepTop: _keepTop, batchSize: _batchSize, ...ofFilter } = filterOptions.shape;

const probeOptions = z.object({
  samples: option(z.int().min(1).default(1000), 'Samples that are drawn at random and scored', { value: 'N', often: true, decidesResult: false }),
  seed: option(z.int().default(1), 'Seed of the drawing: the same seed draws the same samples', { often: true, decidesResult: false }),
  heads: tagOptions.shape.heads,
  percentile: option(z.number().min(0).max(100).default(70), 'Share of the samples that the suggested thresholds drop', {
    unit: '%',
    often: true,
    decidesResult: false,
  }),
  report: option(z.string().optional(), 'HTML page to write: plots, tables, and pictures at the threshold', {
    value: 'FILE',
    path: 'one',
    often: true,
    decidesResult: false,
  }),
  writeConfig: option(z.string().optional(), 'Configuration for pairmill run to write, with the suggested thresholds', {
    value: 'FILE',
    path: 'one',
    often: true,
    decidesResult: false,
  }),
  json: option(z.boolean().default(false), 'Print all figures as JSON on stdout', { decidesResult: false }),
  ...ofFilter,
  ...languageOptions,
});
type ProbeOptions = z.output<typeof probeOptions>;

/** Where a model has no threshold of its own, and none is given. What is suggested does not depend on it. */
const NO_THRESHOLD = { en: 0, multi: 0, nolang: 0 };
/** Small: the pictures of a batch are in memory. */
const BATCH = 64;

/** Scores a random sample by every filter and head, drops nothing, and says what each would drop. */
export const probeCommand: Command = {
  name: 'probe',
  summary: 'Scores a random sample of your pictures and texts by every filter, and says where thresholds that fit them lie.',
  details:
    'Draws samples at random out of samples/ of a run folder, webdataset tars or a folder of pictures, scores them by every filter and head, and drops none: quantiles, correlations, what each filter alone would drop, the share kept at each threshold and language, pictures at the threshold, and a configuration with thresholds by percentile.',
  positionals: 'INPUT',
  options: probeOptions,
  async run({ flags, positionals }, io) {
    if (positionals.length === 0)
      throw new UsageError('pairmill probe: nothing is given to look at. Give a run folder, webdataset tars or a folder of pictures: pairmill probe INPUT');
    const options = readOptions(probeOptions, { flags, environment: io.environment });
    languageThresholds(options.thresholdLanguage);
    const input = positionals.join(',');
    const { findings, probe, input: probed } = await probeInput(input, options, io);
    if (options.report !== undefined) {
      const { sets, languages } = probe.thresholds;
      const lines = [...setNames.filter((set) => set in findings.suggested.thresholds).map((set) => sets[set]), ...Object.values(languages)];
      await writeFile(options.report, reportPage(findings, probe.rows, await probe.near(), lines));
    }
    if (options.writeConfig !== undefined) {
      const runDir = `${options.writeConfig.replace(/\.ya?ml$/i, '')}-run`;
      await writeFile(options.writeConfig, suggestedConfig(findings, { input: probed, runDir }));
    }
    if (options.json) io.out(`${JSON.stringify({ ...findings, rows: probe.rows })}\n`);
    else io.out(summary(findings));
    for (const path of [options.report, options.writeConfig]) if (path !== undefined) io.err(`${path} is written.\n`);
    return 0;
  },
};

async function probeInput(input: string, options: ProbeOptions, io: CommandIo): Promise<{ findings: ProbeFindings; probe: SampleProbe; input: string }> {
  const scratch = await mkdtemp(join(tmpdir(), 'pairmill-probe-'));
  const threads = new SharedThreads();
  const pool = new ResourcePool((module, number) => Promise.resolve(threads.connect(module, number)));
  const resources = pool.forShard();
  try {
    const scoring = { ...options, batchSize: BATCH };
    const settings = modelSettings(scoring);
    const encoders = await modelFrom(resources, options.model, settings);
    const heads = await loadHeads(options.model, await headFiles(options.model, options.heads, settings), settings);
    const probe = await SampleProbe.open(resources, scoring, {
      thresholds: (ofModels) => thresholdsOf({ ...scoring, keepTop: undefined }, { ...NO_THRESHOLD, ...ofModels }),
      encoders,
      heads,
    });
    const drawn = await drawSamples(input, {
      size: options.samples,
      seed: options.seed,
      scratch,
      signal: io.signal,
      s3: new S3Objects(io.environment, true),
      detector: async () => residentDetector(options, resources),
    });
    try {
      for await (const { batch, encoded } of encodeAhead(drawn.samples, BATCH, (batch) => probe.score(batch))) {
        io.signal.throwIfAborted();
        await probe.take(batch, encoded);
      }
    } finally {
      await probe.close();
    }
    const findings = findingsOf(probe.rows, {
      of: drawn.of,
      seed: options.seed,
      models: { model: options.model, 'multilingual-model': multilingualModel(scoring) },
      thresholds: probe.thresholds,
      percentile: options.percentile,
    });
    return {
      findings,
      probe,
      input: drawn.input
        .split(',')
        .map((path) => resolve(path))
        .join(','),
    };
  } finally {
    await resources.release();
    await pool.close();
    await threads.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

function summary({ samples, of, seed, scores, filters, kept, suggested, nsfw }: ProbeFindings): string {
  const figure = (value: number): string => String(Number(value.toPrecision(3)));
  const quantiles = ['1', '10', '50', '90', '99'];
  const blocks = [
    `${samples.toLocaleString('en')} samples of ${of.toLocaleString('en')}, drawn with seed ${seed}. Nothing was dropped.`,
    renderTable(
      ['score', 'samples', 'mean', ...quantiles.map((each) => `${each} %`)],
      Object.entries(scores).map(([name, { n, mean, quantiles: of }]) => [name, String(n), figure(mean), ...quantiles.map((each) => figure(of[each]!))]),
    ),
    renderTable(
      ['filter', 'at', 'would drop', 'it alone'],
      filters.map(({ filter, at, drops, onlyIt }) => [filter, at, String(drops), String(onlyIt)]),
      [0, 1],
    ),
    renderTable(
      ['share kept in %', 'samples', ...kept.thresholds.map((threshold) => threshold.toFixed(2))],
      kept.groups.map(({ group, n, shares }) => [group, String(n), ...shares.map((share) => (100 * share).toFixed(0))]),
    ),
    ...(Object.keys(nsfw).some((label) => label !== 'none')
      ? [
          `NSFW: ${Object.entries(nsfw)
            .map(([label, n]) => `${label} ${n}`)
            .join(', ')}`,
        ]
      : []),
    `${suggested.percentile} % lie below ${Object.entries(suggested.thresholds)
      .map(([set, threshold]) => `${threshold} (${set})`)
      .join(', ')}. --write-config FILE writes a configuration with that.`,
  ];
  return `${blocks.join('\n\n')}\n`;
}
