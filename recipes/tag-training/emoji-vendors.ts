import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { NpyWriter } from '../../src/formats/npy-writer.ts';
import { writeParquet } from '../../src/formats/parquet-writer.ts';
import { sampleHash } from '../../src/formats/sample-hash.ts';
import { loadModel } from '../../src/models/load-model.ts';

/**
 * `node recipes/tag-training/emoji-vendors.ts FOLDER`: embeddings of the emoji of five vendors by `mini`, with labels (is it a face?) of which
 * one vendor, Twemoji, is held out: FOLDER/embeddings and FOLDER/labels.csv, for `pairmill tag train`. README.md goes on from there.
 */
const vendors = ['noto', 'openmoji', 'fluent-emoji-flat', 'emojione', 'twemoji'];
const HELD_OUT = 'twemoji';
const isFace = (name: string): boolean => /(^|-)face(-|$)/.test(name);

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder to write to.');
const packages = await mkdtemp(join(tmpdir(), 'emoji-vendors-'));
execFileSync('npm', ['install', '--silent', '--no-save', '--prefix', packages, ...vendors.map((name) => `@iconify-json/${name}`)], { stdio: 'inherit' });

const model = await loadModel('mini', { cacheFolder: packages, hubUrl: '', threads: 1 });
await mkdir(join(folder, 'embeddings/img_emb'), { recursive: true });
await mkdir(join(folder, 'embeddings/metadata'), { recursive: true });
const writer = await NpyWriter.open(join(folder, 'embeddings/img_emb/img_emb_00000.npy'), model.dimensions, '<f2');
const rows: { hash: bigint; url: string; caption: string }[] = [];
const labels = ['hash,label,split'];
for (const vendor of vendors) {
  const { icons, width, height } = JSON.parse(await readFile(join(packages, `node_modules/@iconify-json/${vendor}/icons.json`), 'utf8')) as {
    icons: Record<string, { body: string; width?: number; height?: number }>;
    width?: number;
    height?: number;
  };
  // Skin tones are the same picture six times.
  const names = Object.keys(icons).filter((name) => !name.includes('skin-tone'));
  for (let start = 0; start < names.length; start += 64) {
    const batch = names.slice(start, start + 64);
    const pictures = await Promise.all(
      batch.map((name) => {
        const { body, width: w = width ?? 16, height: h = height ?? 16 } = icons[name]!;
        const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${w} ${h}" width="128" height="128">${body}</svg>`;
        return sharp(Buffer.from(svg)).flatten({ background: '#fff' }).jpeg({ quality: 95 }).toBuffer();
      }),
    );
    for (const [i, embedding] of (await model.encodeImages(pictures)).entries()) {
      if (embedding instanceof Error) throw embedding;
      await writer.writeRow(embedding);
      const row = { url: `https://${vendor}.test/${batch[i]}.jpg`, caption: batch[i]!.replaceAll('-', ' ') };
      rows.push({ hash: sampleHash(row.url, row.caption), ...row });
      // Every eighth says when to stop.
      const split = vendor === HELD_OUT ? 'test' : rows.length % 8 === 0 ? 'validation' : 'train';
      labels.push(`${rows.at(-1)!.hash},${isFace(batch[i]!) ? 1 : 0},${split}`);
    }
  }
}
await writer.close();
await model.close();
await writeParquet(join(folder, 'embeddings/metadata/metadata_00000.parquet'), z.object({ hash: z.int64(), url: z.string(), caption: z.string() }), rows);
await writeFile(join(folder, 'labels.csv'), `${labels.join('\n')}\n`);
await rm(packages, { recursive: true });
console.log(`${rows.length} pictures, ${labels.filter((line) => line.includes(',1,')).length} faces`);
