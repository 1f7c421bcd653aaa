import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNpy } from '../src/formats/npy.ts';
import { readParquet } from '../src/formats/parquet.ts';
import { SampleWriter } from '../src/formats/webdataset.ts';
import { findModel } from '../src/models/find-model.ts';
import { readTokenizer } from '../src/models/tokenizers/tokenizer.ts';
import { cosine } from '../src/models/vectors.ts';
import { photographs, pythons } from '../test/local-paths.ts';
import type { BenchResult } from './main.ts';
import { median } from './rounds/median.ts';

/**
 * `npm run bench -- embed MODEL_FOLDER [SAMPLES] [ROUNDS]`: the stage embed, tar in and npy out, against clip-retrieval's own inference with
 * the same weights, in turn. Photographs come from recipes/photographs/get.sh; MODEL_FOLDER is what `recipes/test-models/random_models.py b32 FOLDER` (or l14) wrote. Loading (with
 * our trial of threads and batches) is left out on both sides. clip-retrieval runs with its defaults (batches of 256, four preprocessing workers) and with the best of what we tried.
 */
const BEST = { batch: '32', workers: '1' };
const DEFAULTS = { batch: '256', workers: '4' };
const TARS = 4;

interface Pass {
  seconds: number;
  /** Share of the time of the encoder threads in which they computed. */
  busy?: number;
  /** FLOP/s of a product of two matrices of 2048 x 2048. */
  peak?: number;
  folder: string;
}

export async function run([model, count = '160', rounds = '2']: string[]): Promise<BenchResult> {
  if (model === undefined)
    throw new Error('Which model? npm run bench -- embed FOLDER, with FOLDER as recipes/test-models/random_models.py b32 FOLDER wrote it');
  const python = pythons.find((command) => finds(command, 'clip_retrieval'));
  const folder = await mkdtemp(join(tmpdir(), 'bench-embed-'));
  try {
    const captions = await writeTars(join(folder, 'input'), Number(count));
    const ways: Record<string, (out: string) => Promise<Pass>> = {
      'pairmill, float32': (out) => ours(model, folder, out, []),
      'pairmill, int8': (out) => ours(model, folder, out, ['--model-precision=int8']),
      ...(python !== undefined && {
        'clip-retrieval, its defaults': (out) => theirs(python, model, folder, out, DEFAULTS),
        'clip-retrieval, batches of 32, one preprocessing worker': (out) => theirs(python, model, folder, out, BEST),
      }),
    };
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
    title: `embed: ${captions.length} pairs, photographs of 640 x 480, ${model.split('/').at(-1)} of random weights`,
    rows,
    ratios: {
      ...(compared && { peer_default: defaults! / float32, peer_best: best! / float32, share_of_peak: flops / peak }),
      int8_own: float32 / int8,
      encoder_busy: median(passes.get('pairmill, float32')!.map(({ busy }) => busy!)),
    },
  };
}

/** Photographs of 640 x 480, each another, with real captions; in as many tars as clip-retrieval has workers by default, which it needs. */
async function writeTars(folder: string, count: number): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const names = await readdir(join(photographs, 'web')).catch(() => []);
  if (names.length < count)
    throw new Error(
      `${join(photographs, 'web')} has ${names.length} photographs and ${count} are needed: run recipes/photographs/get.sh, or give a smaller number.`,
    );
  const fixture = join(import.meta.dirname, '../test/fixtures/laion-200.parquet');
  const texts = (await Array.fromAsync(readParquet(fixture))).map((row) => String(row['TEXT']));
  const captions = Array.from({ length: count }, (_, i) => texts[i % texts.length]!);
  const inTar = Math.ceil(count / TARS);
  for (let first = 0, shard = 0; first < count; first += inTar, shard++) {
    const tar = await SampleWriter.open(join(folder, `${String(shard).padStart(5, '0')}.tar`));
    for (let i = first; i < Math.min(count, first + inTar); i++) {
      // Spread over all of them: neighbours are windows of one photograph.
      const picture = await readFile(join(photographs, 'web', names[Math.floor((i * names.length) / count)]!));
      const key = String(i).padStart(9, '0');
      const caption = captions[i]!;
      const json = JSON.stringify({ caption, url: `http://picture.test/${i}`, key, status: 'success', width: 640, height: 480 });
      await tar.write(key, [
        ['jpg', picture],
        ['json', Buffer.from(json)],
        ['txt', Buffer.from(caption)],
      ]);
    }
    await tar.close();
  }
  return captions;
}

async function ours(model: string, folder: string, out: string, more: string[]): Promise<Pass> {
  const launcher = join(import.meta.dirname, '../bin/pairmill.js');
  execFileSync(
    process.execPath,
    [
      launcher,
      'embed',
      '--input',
      join(folder, 'input'),
      '--output',
      out,
      '--run-dir',
      `${out}-run`,
      '--model-cache',
      join(folder, 'models'),
      '--model',
      model,
      ...more,
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const { duration, encoder } = JSON.parse(await readFile(join(out, '00000_stats.json'), 'utf8')) as {
    duration: number;
    encoder: { loading: number; seconds: number; threads: number };
  };
  const seconds = duration - encoder.loading;
  return { seconds, busy: encoder.seconds / encoder.threads / seconds, folder: out };
}

async function theirs(python: string, model: string, folder: string, out: string, { batch, workers }: typeof BEST): Promise<Pass> {
  const script = join(import.meta.dirname, 'embed/clip_retrieval_inference.py');
  const said = execFileSync(python, [script, model, join(folder, 'input'), out, batch, workers], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const { seconds, peak } = JSON.parse(said.trim().split('\n').at(-1)!) as { seconds: number; peak: number };
  return { seconds, peak, folder: out };
}

/** Over the samples of both, by their keys: clip-retrieval's workers take turns. Ours has five digits in its names, theirs one. */
async function smallestCosine(a: string, b: string): Promise<number> {
  let smallest = 1;
  const [ours, theirs] = [await readEmbeddings(a), await readEmbeddings(b)];
  if (ours.keys.length !== theirs.keys.length) throw new Error(`${b} has ${theirs.keys.length} rows where ${a} has ${ours.keys.length}`);
  const at = new Map(theirs.keys.map((key, i) => [key, i]));
  for (const kind of ['img', 'text'] as const)
    for (const [i, key] of ours.keys.entries()) {
      const [left, right] = [ours[kind].row(i), theirs[kind].row(at.get(key)!)];
      smallest = Math.min(smallest, cosine(left, right) / Math.sqrt(cosine(left, left) * cosine(right, right)));
    }
  return smallest;
}

async function readEmbeddings(folder: string) {
  const part = (await readdir(join(folder, 'metadata')))[0]!.replace(/^metadata_|\.parquet$/g, '');
  const rows = await Array.fromAsync(readParquet(join(folder, `metadata/metadata_${part}.parquet`)));
  const vectors = (kind: string) => readNpy(join(folder, `${kind}_emb/${kind}_emb_${part}.npy`));
  return { keys: rows.map((row) => String(row['image_path'])), img: await vectors('img'), text: await vectors('text') };
}

/** Multiplications and additions of the matrix products that the towers need, the texts at the lengths to which they are padded. */
async function flopsOf(model: string, captions: readonly string[]): Promise<number> {
  const entry = await findModel(model);
  const large = entry.dimensions === 768;
  const [patch, width, layers] = large ? [14, 1024, 24] : [32, 768, 12];
  const textWidth = large ? 768 : 512;
  const tokens = (224 / patch) ** 2 + 1;
  const layer = (length: number, of: number): number => 24 * length * of * of + 4 * length * length * of;
  // After the attention of the last layer, one token is left (src/models/sessions/class-token.ts).
  const skipped = 18 * (tokens - 1) * width * width;
  const picture = layers * layer(tokens, width) - skipped + 2 * tokens * 3 * patch * patch * width;
  const tokenize = await readTokenizer(join(model, 'tokenizer.json'), entry.text);
  const texts = captions.reduce((sum, caption) => sum + 12 * layer(Math.min(77, Math.ceil(tokenize(caption).length / 4) * 4), textWidth), 0);
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
