import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { decodePicture } from '../src/models/image-preprocessing.ts';
import { findModel } from '../src/models/find-model.ts';
import { loadModel } from '../src/models/load-model.ts';
import { packagedModelFolder } from '../src/models/registry.ts';
import { pythons } from '../test/local-paths.ts';
import type { BenchResult } from './main.ts';

/**
 * `npm run bench -- encode [COUNT] [FOLDER]`: CPU time of a picture from its JPEG to its vector with `mini`, against PIL and onnxruntime in
 * Python on the same files: noise of 256 x 256, or the JPEGs of a folder (recipes/photographs/get.sh makes `web`).
 */
export async function run([count = '400', from]: string[]): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-encode-'));
  try {
    const pictures = from === undefined ? await noisyPictures(Number(count)) : await picturesOf(from, Number(count));
    await Promise.all(pictures.map((picture, i) => writeFile(join(folder, `${String(i).padStart(6, '0')}.jpg`), picture)));
    const { preprocessing } = (await findModel('mini')).image;
    const model = await loadModel('mini', { cacheFolder: folder, hubUrl: '', threads: 1 });
    // Warm: libraries and model loaded. These are not among the measured.
    await model.encodeImages(await noisyPictures(4, 1e6));
    const decode = await cpuMs(pictures.length, async () => {
      for (const picture of pictures) await decodePicture(picture, preprocessing);
    });
    const encode = await cpuMs(pictures.length, () => model.encodeImages(pictures));
    const again = await cpuMs(pictures.length, () => model.encodeImages(pictures.slice(0, 100)));
    const texts = await cpuMs(pictures.length, () => model.encodeTexts(pictures.map((_, i) => `a dog and ${i} cats on a table`)));
    await model.close();
    const title = `encode: ${pictures.length} JPEGs ${from === undefined ? 'of 256 px' : `of ${basename(from)}`}, mini`;
    const rows: BenchResult['rows'] = [
      { what: 'decode and resize', 'CPU ms': decode },
      { what: 'JPEG to vector', 'CPU ms': encode },
      { what: 'the same of a picture seen before', 'CPU ms': (again * pictures.length) / 100 },
      { what: 'text to vector', 'CPU ms': texts },
    ];
    const theirs = python(folder);
    const missing = ['Python: there is none with PIL, numpy and onnxruntime (pip install pillow numpy onnxruntime; PAIRMILL_PYTHON names it)'];
    if (theirs === undefined) return { title, rows, ratios: {}, missing };
    rows.push({ what: 'JPEG to vector: Python, PIL and onnxruntime, one thread', 'CPU ms': theirs });
    return { title, rows, ratios: { 'pictures per CPU-second': theirs / encode } };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function picturesOf(folder: string, count: number): Promise<Uint8Array[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jpg')).toSorted();
  return Promise.all(names.slice(0, count).map((name) => readFile(join(folder, name))));
}

/** Different pictures with some detail: a coarse random grid, enlarged. */
async function noisyPictures(count: number, seed = 1): Promise<Uint8Array[]> {
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24;
  return Promise.all(
    Array.from({ length: count }, () => {
      const grid = Uint8Array.from({ length: 16 * 16 * 3 }, random);
      return sharp(grid, { raw: { width: 16, height: 16, channels: 3 } })
        .resize(256, 256, { kernel: 'cubic' })
        .jpeg({ quality: 95 })
        .toBuffer();
    }),
  );
}

/** CPU milliseconds an item, over all threads of this process. */
async function cpuMs(items: number, work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / items;
}

function python(folder: string): number | undefined {
  const script = `
import glob, sys, time
import numpy as np, onnxruntime as ort
from PIL import Image
options = ort.SessionOptions(); options.intra_op_num_threads = 1; options.inter_op_num_threads = 1
session = ort.InferenceSession(sys.argv[2] + "/vision_model.onnx", options, providers=["CPUExecutionProvider"])
names = sorted(glob.glob(sys.argv[1] + "/*.jpg"))
def batch(part):
    x = np.stack([np.asarray(Image.open(n).convert("RGB").resize((64, 64), Image.BICUBIC), dtype=np.float32) for n in part])
    return session.run(None, {"pixel_values": np.ascontiguousarray(((x / 255 - 0.5) / 0.25).transpose(0, 3, 1, 2))})[0]
batch(names[:4])
start = time.process_time()
for i in range(0, len(names), 16): batch(names[i:i + 16])
print((time.process_time() - start) * 1000 / len(names))`;
  for (const command of pythons) {
    try {
      return Number(execFileSync(command, ['-c', script, folder, packagedModelFolder('mini')!], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    } catch {
      // The next one.
    }
  }
  return undefined;
}
