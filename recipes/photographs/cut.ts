import { mkdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import sharp from 'sharp';

/** Cuts nine different windows out of each photograph in SOURCE, at two sizes: TARGET/web and TARGET/large. */
const [source, target] = process.argv.slice(2) as [string, string];

const sizes = { web: { width: 640, height: 480 }, large: { width: 1632, height: 1224 } };
/** Of a side of the photograph, what a window takes in. */
const WINDOW = { web: 0.45, large: 0.8 };
/** Drawn, not taken with a camera. */
const DRAWN = /PastelHills|SafeLanding|Flow|Honeywave|Shell|Volna|analogpattern|Traditional|Elephants|Infinite-Sea|Painting|Stripes/;

const files = (await readdir(source, { recursive: true, withFileTypes: true }))
  .filter((file) => file.isFile() && /\.jpe?g$/i.test(file.name) && !file.isSymbolicLink())
  .map((file) => join(file.parentPath, file.name))
  // Plasma has each in many sizes.
  .filter((path) => !DRAWN.test(path) && (!path.includes('/contents/') || basename(path) === '2560x1600.jpg'))
  .sort();

let photographs = 0;
const counts = { web: 0, large: 0 };
for (const path of files) {
  // Decoded once, for all of its windows.
  const { data, info } = await sharp(path).rotate().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  const picture = sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
  const { width, height } = info;
  if (width < 1600 || height < 1000) continue;
  photographs++;
  for (const name of ['web', 'large'] as const) {
    mkdirSync(join(target, name), { recursive: true });
    const size = sizes[name];
    const unit = Math.floor(Math.min((width * WINDOW[name]) / 4, (height * WINDOW[name]) / 3));
    const window = { width: unit * 4, height: unit * 3 };
    for (let i = 0; i < 9; i++) {
      const left = Math.floor(((width - window.width) * (i % 3)) / 2);
      const top = Math.floor(((height - window.height) * Math.floor(i / 3)) / 2);
      const cut = picture
        .clone()
        .extract({ left, top, ...window })
        .resize(size);
      await cut.jpeg({ quality: 90 }).toFile(join(target, name, `${String(counts[name]++).padStart(4, '0')}.jpg`));
    }
  }
}
console.log(`${photographs} photographs, ${counts.web} web-sized and ${counts.large} large pictures in ${target}`);
