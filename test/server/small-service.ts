import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IndexDescription } from '../../src/contracts/index-description.ts';
import { SampleWriter } from '../../src/formats/webdataset.ts';
import type { IndexRow } from '../../src/knn/index-schema.ts';
import { openIndex } from '../../src/knn/open-index.ts';
import { IndexWriter } from '../../src/knn/write-index.ts';
import { Metrics } from '../../src/server/metrics.ts';
import { Pictures } from '../../src/server/pictures.ts';
import type { IndexSource, ServedIndex, Service } from '../../src/server/served-index.ts';

export const DIMENSIONS = 8;
const FURTHER: IndexDescription['further'] = [
  { name: 'source', type: 'text' },
  { name: 'views', type: 'integer' },
];
export const words = ['apple', 'banana', 'cherry', 'date', 'elder', 'fig', 'grape', 'honey'];

/** A text's vector has 1 at each of the words that it names; a picture's bytes are such a text. */
export const encoder: NonNullable<ServedIndex['encoder']> = {
  id: 'mini',
  encodeTexts: async (texts) => texts.map(vectorOf),
  encodeImages: async (pictures) =>
    pictures.map((bytes) => (Buffer.from(bytes).toString().startsWith('broken') ? new Error('cut off') : vectorOf(Buffer.from(bytes).toString()))),
};

function vectorOf(text: string): Float32Array {
  const values = words.map((word) => (text.includes(word) ? 1 : 0.01));
  const length = Math.hypot(...values);
  return Float32Array.from(values, (value) => value / length);
}

/** 64 samples, one for each pair of words; hash 2^53 + 1 + id, which no double holds; pictures in pairs/00000.tar. */
export function rows(): IndexRow[] {
  return words.flatMap((first, i) =>
    words.map((second, j): IndexRow => {
      const id = i * 8 + j;
      const vector = vectorOf(`${first} ${second}`);
      return {
        id,
        hash: 2n ** 53n + 1n + BigInt(id),
        url: `http://host.test/${id}.jpg`,
        caption: `${first} <b>${second}</b>`,
        key: String(id).padStart(9, '0'),
        language: j % 2 ? 'en' : 'de',
        licence: null,
        NSFW: null,
        similarity: 0.3 + j / 100,
        width: 300,
        height: 200,
        tags: { punsafe: j === 3 ? 0.9 : 0.1 },
        further: { source: 'mine', views: 2n ** 53n + BigInt(id) },
        vectors: { image: vector, text: vector },
      };
    }),
  );
}

/** Writes a run folder with index/ and pairs/. */
export async function writeRun(runDir: string): Promise<void> {
  await writeBuild(runDir, 1);
  await mkdir(join(runDir, 'pairs'), { recursive: true });
  const tar = await SampleWriter.open(join(runDir, 'pairs', '00000.tar'));
  for (const { key, caption } of rows().slice(0, 60))
    await tar.write(key, [
      ['jpg', Buffer.from(caption)],
      ['txt', Buffer.from(caption)],
      ['json', Buffer.from('{}')],
    ]);
  await tar.close();
}

/** Builds the index (again), as its stage does: in a folder of its own, to which index.json points when all is there. The old one goes. */
export async function writeBuild(runDir: string, build: number): Promise<void> {
  const folder = join(runDir, 'index');
  const name = `00000-${build}`;
  const writer = await IndexWriter.create(join(folder, name), { dimensions: DIMENSIONS, heads: ['punsafe'], further: FURTHER, modalities: ['image', 'text'] });
  for (const row of rows()) await writer.add(build === 1 ? row : { ...row, caption: `${row.caption} of build ${build}` });
  const built = await writer.finish({ flatBelow: 1000, lists: 0, bits: 1, nprobes: 20, refine: 5, recallQueries: 10, seed: 1 });
  for (const described of Object.values(built.vectors)) described.file = `${name}/${described.file}`;
  const description: IndexDescription = {
    tool: 'pairmill',
    version: '0',
    format: 1,
    model: { id: 'mini', sha256: { 'mini/a_file.onnx': 'abc' } },
    dimensions: DIMENSIONS,
    folder: name,
    heads: ['punsafe'],
    further: FURTHER,
    languages: [
      { language: 'en', rows: 32 },
      { language: 'de', rows: 32 },
    ],
    release: { fingerprint: `build ${build}` },
    ...built,
  };
  await writeFile(join(folder, 'index.json.tmp'), JSON.stringify(description));
  await rename(join(folder, 'index.json.tmp'), join(folder, 'index.json'));
  await rm(join(folder, `00000-${build - 1}`), { recursive: true, force: true });
}

export interface SmallService {
  service: Service;
  served: ServedIndex & { encoder: NonNullable<ServedIndex['encoder']> };
  close(): Promise<void>;
}

/** The run's index with the encoder above, as one that is never built again. */
export async function openService(runDir: string): Promise<SmallService> {
  const index = await openIndex(join(runDir, 'index'));
  const served = { name: 'small', index, encoder, pictures: await Pictures.open(join(runDir, 'pairs')) };
  return { service: { indices: [alwaysServed(served)], metrics: new Metrics() }, served, close: () => index.close() };
}

export function alwaysServed(served: ServedIndex): IndexSource {
  return { name: served.name, use: (work) => work(served) };
}
