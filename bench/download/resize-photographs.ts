import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { downloadOptions } from '../../src/stages/download/options.ts';
import { processPicture } from '../../src/stages/download/process-picture.ts';

/** CPU ms a picture of decode, resize and encode alone, all threads: as `resize_photographs.py` does it with OpenCV. */
const [folder, resizeMode] = process.argv.slice(2) as [string, string];
const bodies = readdirSync(folder)
  .filter((name) => name.endsWith('.jpg'))
  .sort()
  .map((name) => readFileSync(join(folder, name)));
const options = downloadOptions.parse({ resizeMode });
for (const body of bodies.slice(0, 20)) await processPicture(body, options);
const before = process.cpuUsage();
for (const body of bodies) await processPicture(body, options);
const { user, system } = process.cpuUsage(before);
console.log((user + system) / 1000 / bodies.length);
