import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { readNpy } from '../src/formats/npy.ts';
import { readParquet } from '../src/formats/parquet.ts';
import { SampleWriter } from '../src/formats/webdataset.ts';
import { findModel } from '../src/models/find-model.ts';
import { readTokenizer } from '../src/models/tokenizer.ts';
import { cosine } from '../src/models/vectors.ts';
import { pythons } from '../test/local-paths.ts';
import type { BenchResult } from './main.ts';
import { median } from './rounds/median.ts';

/**
 * `npm run bench -- embed MODEL_FOLDER [SAMPLES] [ROUNDS]`: the stage embed, tar in and npy out, against clip-retrieval's own inference with
 * the same weights, in turn. MODEL_FOLDER is what `recipes/test-models/random_models.py b32 FOLDER` (or l14) wrote. Loading is left out on
 * both sides. clip-retrieval runs with its defaults (batches of 256, four preprocessing workers) and with the best of what we tried.
 */
const BEST = { batch: '32', workers: '1' };
const DEFAULTS = { batch: '256', workers: '4' };

interface Pass {
  seconds: number;
  /** Share of the time of the encoder threads in which they computed. */
  busy?: number;
  /** FLOP/s of a product of two matrices of 2048 x 2048. */
  peak?: number;
  folder: string;
}

export async function run([model, count = '128', rounds = '2']: string[]): Promise<BenchResult> {
  if (model === undefined)
    throw new Error('Which model? npm run bench -- embed FOLDER, with FOLDER as recipes/test-models/random_models.py b32 FOLDER wrote it');
  const python = pythons.find((command) => finds(command, 'clip_retrieval'));
  const folder = await mkdtemp(join(tmpdir(), 'bench-embed-'));
  try {
    const captions = await writeTar(join(folder, 'input'), Number(count));
    const ways: Record<string, (out: string) => Promise<Pass>> = {
      'pairmill, float32': (out) => ours(model, folder, out, []),
      'pairmill, int8': (out) => ours(model, folder, out, ['--model-precision=int8']),
      ...(python !== undefined && {
        'clip-retrieval, its defaults': (out) => theirs(python, model, folder, out, DEFAULTS),
        'clip-retrieval, batches of 32, one preprocessing worker': (out) => theirs(python, model, folder, out, BEST),
      }),
    };
    // Calibrated before the clock starts.
    for (const way of ['pairmill, float32', 'pairmill, int8']) await ways[way]!(join(folder, `warm-${way}`));
    const passes = new Map<string, Pass[]>(Object.keys(ways).map((name) => [name, []]));
    for (let round = 0; round < Number(rounds); round++)
      for (const [name, way] of Object.entries(ways)) passes.get(name)!.push(await way(join(folder, `${name}-${round}`)));
    return await report(model, captions, passes, python !== undefined);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function report(model: string, captions: readonly string[], passes: ReadonlyMap<string, Pass[]>, compared: boolean): Promise<BenchResult> {
  const rows: BenchResult['rows'] = [];
  const seconds = new Map([...passes].map(([name, all]) => [name, median(all.map((pass) => pass.seconds))]));
  const first = passes.get('pairmill, float32')![0]!;
  for (const [name, all] of passes) {
    const took = seconds.get(name)!;
    const row: Record<string, string | number> = { what: name, 'images/s and captions/s': captions.length / took };
    row['smallest cosine to ours in float32'] = await smallestCosine(first.folder, all[0]!.folder);
    if (all[0]!.busy !== undefined) row['encoder busy'] = `${(100 * median(all.map(({ busy }) => busy!))).toFixed(1)} %`;
    rows.push(row);
  }
  const [float32, int8] = [seconds.get('pairmill, float32')!, seconds.get('pairmill, int8')!];
  const [defaults, best] = [...seconds.values()].slice(2);
  const peak = Math.max(...[...passes.values()].flat().map((pass) => pass.peak ?? 0));
  const flops = (await flopsOf(model, captions)) / float32;
  rows.push({ what: `pairmill, float32: ${(flops / 1e9).toFixed(0)} GFLOP/s of ${(peak / 1e9).toFixed(0)} that a product of two matrices reaches` });
  return {
    title: `embed: ${captions.length} pairs, JPEGs of 256 px, ${model.split('/').at(-1)} of random weights`,
    rows,
    ratios: {
      ...(compared && { peer_default: defaults! / float32, peer_best: best! / float32, share_of_peak: flops / peak }),
      int8_own: float32 / int8,
      encoder_busy: median(passes.get('pairmill, float32')!.map(({ busy }) => busy!)),
    },
  };
}

/** Pictures with some detail and real captions. */
async function writeTar(folder: string, count: number): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const fixture = join(import.meta.dirname, '../test/fixtures/laion-200.parquet');
  const texts = (await Array.fromAsync(readParquet(fixture))).map((row) => String(row['TEXT'] ?? row['text'] ?? row['caption'] ?? ''));
  const tar = await SampleWriter.open(join(folder, '00000.tar'));
  const captions: string[] = [];
  let state = 1;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24;
  for (let i = 0; i < count; i++) {
    const grid = Uint8Array.from({ length: 16 * 16 * 3 }, random);
    const picture = await sharp(grid, { raw: { width: 16, height: 16, channels: 3 } })
      .resize(256, 256, { kernel: 'cubic' })
      .jpeg({ quality: 95 })
      .toBuffer();
    const key = String(i).padStart(9, '0');
    const caption = texts[i % texts.length]!;
    captions.push(caption);
    const json = JSON.stringify({ caption, url: `http://picture.test/${i}`, key, status: 'success', width: 256, height: 256 });
    await tar.write(key, [
      ['jpg', picture],
      ['json', Buffer.from(json)],
      ['txt', Buffer.from(caption)],
    ]);
  }
  await tar.close();
  return captions;
}

async function ours(model: string, folder: string, out: string, more: string[]): Promise<Pass> {
  const launcher = join(import.meta.dirname, '../bin/pairmill.js');
  execFileSync(process.execPath, [launcher, 'embed', '--input', join(folder, 'input'), '--output', out, '--run-dir', `${out}-run`, '--model', model, ...more], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const { duration, encoder } = JSON.parse(await readFile(join(out, '00000_stats.json'), 'utf8')) as {
    duration: number;
    encoder: { loading: number; seconds: number; threads: number };
  };
  const seconds = duration - encoder.loading;
  return { seconds, busy: encoder.seconds / encoder.threads / seconds, folder: out };
}

async function theirs(python: string, model: string, folder: string, out: string, { batch, workers }: typeof BEST): Promise<Pass> {
  const script = join(import.meta.dirname, 'embed/clip_retrieval_inference.py');
  const said = execFileSync(python, [script, model, join(folder, 'input/00000.tar'), out, batch, workers, '0'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { seconds, peak } = JSON.parse(said.trim().split('\n').at(-1)!) as { seconds: number; peak: number };
  // Under the names that ours have.
  for (const kind of ['img', 'text']) await copyFile(join(out, `${kind}_emb/${kind}_emb_0.npy`), join(out, `${kind}_emb/${kind}_emb_00000.npy`));
  return { seconds, peak, folder: out };
}

async function smallestCosine(a: string, b: string): Promise<number> {
  let smallest = 1;
  for (const kind of ['img', 'text']) {
    const [left, right] = [await readNpy(join(a, `${kind}_emb/${kind}_emb_00000.npy`)), await readNpy(join(b, `${kind}_emb/${kind}_emb_00000.npy`))];
    if (left.rows !== right.rows) throw new Error(`${b} has ${right.rows} rows where ${a} has ${left.rows}`);
    for (let i = 0; i < left.rows; i++)
      smallest = Math.min(smallest, cosine(left.row(i), right.row(i)) / Math.sqrt(cosine(left.row(i), left.row(i)) * cosine(right.row(i), right.row(i))));
  }
  return smallest;
}

/** Multiplications and additions of the matrix products that the towers need, the texts at the lengths to which they are padded. */
async function flopsOf(model: string, captions: readonly string[]): Promise<number> {
  const entry = await findModel(model);
  const large = entry.dimensions === 768;
  const [patch, width, layers] = large ? [14, 1024, 24] : [32, 768, 12];
  const textWidth = large ? 768 : 512;
  const tokens = (224 / patch) ** 2 + 1;
  const layer = (length: number, of: number): number => 24 * length * of * of + 4 * length * length * of;
  const picture = layers * layer(tokens, width) + 2 * tokens * 3 * patch * patch * width;
  const tokenize = await readTokenizer(join(model, 'tokenizer.json'), entry.text);
  const texts = captions.reduce((sum, caption) => sum + 12 * layer(Math.min(77, Math.ceil(tokenize(caption).length / 8) * 8), textWidth), 0);
  return captions.length * picture + texts;
}

function finds(command: string, module: string): boolean {
  try {
    execFileSync(command, ['-c', `import importlib.util, sys; sys.exit(importlib.util.find_spec("${module}") is None)`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
