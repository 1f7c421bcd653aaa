import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { downloadOptions } from '../../src/stages/download/options.ts';
import { processPicture } from '../../src/stages/download/process-picture.ts';

/** Packs the photographs of a folder by both ways, ours and libvips, into TARGET/ours and TARGET/libvips: for `picture_differences.py`. */
const [folder, target, resizeMode] = process.argv.slice(2) as [string, string, string];
const ways = {
  ours: downloadOptions.parse({ resizeMode }),
  // libvips has one kernel for both, and our own way is for `area` alone.
  libvips: downloadOptions.parse({ resizeMode, downscaleInterpolation: 'linear' }),
};
for (const [way, options] of Object.entries(ways)) {
  mkdirSync(join(target, way), { recursive: true });
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.jpg')) continue;
    const { bytes } = await processPicture(readFileSync(join(folder, name)), options);
    writeFileSync(join(target, way, name), bytes);
  }
}
