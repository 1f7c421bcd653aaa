import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { UsageError } from '../src/contracts/errors.ts';
import { findClassifier } from '../src/models/classifiers/find-classifier.ts';
import { openPictureClassifier } from '../src/models/classifiers/open-classifier.ts';
import { pythons } from '../test/local-paths.ts';
import type { BenchResult } from './main.ts';

const ROUNDS = 3;
const SIDES = [512, 384] as const;

/**
 * Pictures a second of an image model (the folder that recipes/classifiers/watermark.py made), from JPEG to score in one thread, in turn
 * with PIL and onnxruntime in Python on the same files, in batches of 16.
 */
export async function run([path, count = '32']: string[]): Promise<BenchResult> {
  if (path === undefined) throw new UsageError('bench classify needs the folder of an image model: recipes/classifiers/watermark.py --random makes one.');
  const folder = await mkdtemp(join(tmpdir(), 'bench-classify-'));
  try {
    const settings = { cacheFolder: folder, hubUrl: '', threads: 1 };
    const found = await findClassifier(path, 'pictures', settings);
    const pictures = await Promise.all(Array.from({ length: Number(count) }, (_, i) => noise(i)));
    await Promise.all(pictures.map((picture, i) => writeFile(join(folder, `${i}.jpg`), picture)));
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // A new one each time: it keeps the scores of pictures that it has seen.
      const model = await openPictureClassifier(found, settings);
      await model.encode([await noise(1e6)]);
      const start = performance.now();
      await model.encode(pictures);
      ours.push((1000 * pictures.length) / (performance.now() - start));
      await model.close();
      theirs.push(...python(folder, found.path));
    }
    const rows: BenchResult['rows'] = [{ what: 'Pairmill', 'pictures/s': median(ours) }];
    const title = `classify: ${pictures.length} JPEGs of ${SIDES.join(' x ')} pixels, ${found.classifier.id}, one thread, medians of ${ROUNDS}`;
    if (theirs.length === 0) return { title, rows, ratios: {}, missing: ['Python with PIL, numpy and onnxruntime (PAIRMILL_PYTHON names it)'] };
    rows.push({ what: 'Python: PIL and onnxruntime', 'pictures/s': median(theirs) });
    return { title, rows, ratios: { pictures: median(ours) / median(theirs) } };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** A picture with some detail, another for each seed: a coarse random grid, enlarged. */
async function noise(seed: number): Promise<Uint8Array> {
  let state = seed + 1;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24;
  const grid = Uint8Array.from({ length: 32 * 24 * 3 }, random);
  return sharp(grid, { raw: { width: 32, height: 24, channels: 3 } })
    .resize(...SIDES, { kernel: 'cubic' })
    .jpeg({ quality: 90 })
    .toBuffer();
}

const SCRIPT = `
import glob, sys, time
import numpy as np, onnxruntime as ort
from PIL import Image
folder, model = sys.argv[1:]
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(model, options)
side = session.get_inputs()[0].shape[2]
mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
def pixels(path):
    values = np.asarray(Image.open(path).convert("RGB").resize((side, side), Image.BILINEAR), dtype=np.float32) / 255
    return ((values - mean) / std).transpose(2, 0, 1)
paths = sorted(glob.glob(folder + "/*.jpg"))
def run(some):
    session.run(None, {session.get_inputs()[0].name: np.stack([pixels(path) for path in some])})
run(paths[:1])
start = time.perf_counter()
for at in range(0, len(paths), 16):
    run(paths[at : at + 16])
print(len(paths) / (time.perf_counter() - start))
`;

/** Pictures a second; none where no Python has what it takes. */
function python(folder: string, model: string): number[] {
  for (const path of pythons) {
    try {
      return [Number(execFileSync(path, ['-c', SCRIPT, folder, model], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))];
    } catch {
      // The next one.
    }
  }
  return [];
}
