import { createHash } from 'node:crypto';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { onnxModel } from '../../src/formats/onnx-model.ts';
import { kerasGraph, type LayersModel } from './keras-graph.ts';

/** Writes models/nsfw-pixels (or the folder that is named) out of npm nsfwjs: node convert.ts [FOLDER], after npm ci in this folder. */
const folder = process.argv[2] ?? join(import.meta.dirname, '../../models/nsfw-pixels');
const packages = createRequire(import.meta.url);
const source = join(packages.resolve('nsfwjs'), '../../..');
const inPackage = (path: string): unknown => packages(join(source, path));

const SIDE = 224;
const classes = (inPackage('dist/cjs/nsfw_classes.js') as { NSFW_CLASSES: Record<string, string> }).NSFW_CLASSES;
const model = inPackage('dist/models/mobilenet_v2/model.min.js') as LayersModel;
const weights = Buffer.from(inPackage('dist/models/mobilenet_v2/group1-shard1of1.min.js') as string, 'base64');

const files = {
  'model.onnx': onnxModel(kerasGraph(model, weights, SIDE)),
  'config.json': json({
    architectures: ['MobileNetV2'],
    id2label: Object.fromEntries(Object.entries(classes).map(([place, label]) => [place, label.toLowerCase()])),
    pairmill: { id: 'nsfw_pixels', activation: 'identity', resample: 'aligned' },
  }),
  'preprocessor_config.json': json({ size: { height: SIDE, width: SIDE }, do_normalize: false }),
};
await mkdir(folder, { recursive: true });
for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
await copyFile(join(source, 'LICENSE'), join(folder, 'LICENSE'));
const checksums = Object.entries(files).map(([name, bytes]) => [name, createHash('sha256').update(bytes).digest('hex')] as const);
await writeFile(join(folder, 'checksums.json'), json(Object.fromEntries(checksums)));

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
