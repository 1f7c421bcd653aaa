import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { EmbeddingMetadata, Pair, Release } from '../../../src/contracts/records.ts';
import { readSamples } from '../../../src/formats/webdataset.ts';
import { embed } from '../../../src/stages/embed/embed.ts';
import { filter } from '../../../src/stages/filter/filter.ts';
import { packagedCategories, readNsfwCategories } from '../../../src/stages/filter/nsfw-categories.ts';
import { NsfwJudge } from '../../../src/stages/filter/nsfw-judge.ts';
import { score } from '../../../src/stages/filter/score.ts';
import { release } from '../../../src/stages/release/release.ts';
import { emojiSamples, writeSamplesShard } from '../emoji-samples.ts';
import { allRows, rejectsOf, runOneStage } from '../run-one-stage.ts';

const DIMENSIONS = 512;

/** Each text its own axis, so that a picture's cosine with a prompt can be set. */
function axes(): { encode: (texts: readonly string[]) => Promise<Float32Array[]>; picture: (cosines: Record<string, number>) => Float32Array } {
  const axis = new Map<string, number>();
  const at = (text: string): number => {
    if (!axis.has(text)) axis.set(text, axis.size);
    return axis.get(text)!;
  };
  const vector = (cosines: Record<string, number>): Float32Array => {
    const values = new Float32Array(DIMENSIONS);
    for (const [text, cosine] of Object.entries(cosines)) values[at(text)] = cosine;
    return values;
  };
  return { encode: (texts) => Promise.resolve(texts.map((text) => vector({ [text]: 1 }))), picture: vector };
}

const categories = await readNsfwCategories(packagedCategories);
const { encode, picture } = axes();
const judge = await NsfwJudge.make(categories, encode);
const { nsfw, underage, animal } = categories;
const lawful = { caption: 'a picture', language: 'en' };

test('each category that the file lists is one that is used, under its own label (LAION had lost one for a missing comma)', async () => {
  const parts = { nsfw: { safe: nsfw.safe, unsafe: nsfw.unsafe }, underage: { underage: underage.underage, adult: underage.adult }, animal };
  const used: string[] = [];
  for (const [part, lists] of Object.entries(parts))
    for (const [label, prompts] of Object.entries(lists))
      for (const prompt of prompts) {
        expect(judge.nearest(picture({ [prompt]: 1 }))[part as 'nsfw'], `${part}: ${prompt}`).toMatchObject({ prompt, label });
        used.push(prompt);
      }
  const lines = (await readFile(packagedCategories, 'utf8')).split('\n').flatMap((line) => /^ +- (.*)$/.exec(line)?.[1] ?? []);
  expect(used).toEqual(lines);
});

test.each([
  ['both nearest safe', { [nsfw.safe[0]!]: 0.3, [nsfw.safe[1]!]: 0.29 }, 'UNLIKELY'],
  ['both nearest unsafe', { [nsfw.unsafe[0]!]: 0.3, [nsfw.unsafe.at(-1)!]: 0.29 }, 'NSFW'],
  ['one of each', { [nsfw.safe[0]!]: 0.3, [nsfw.unsafe[1]!]: 0.25 }, 'UNSURE'],
  ['both safe, an unsafe one within the margin', { [nsfw.safe[0]!]: 0.3, [nsfw.safe[1]!]: 0.299, [nsfw.unsafe[1]!]: 0.298 }, 'UNSURE'],
  ['both unsafe, a safe one within the margin', { [nsfw.unsafe[0]!]: 0.3, [nsfw.unsafe[1]!]: 0.299, [nsfw.safe[1]!]: 0.298 }, 'UNSURE'],
])('%s: %o is %s', (_what, cosines, expected) => {
  expect(judge.label(picture(cosines))).toBe(expected);
});

const unsafe = { [nsfw.unsafe[0]!]: 0.3, [nsfw.unsafe[1]!]: 0.29 };
const unsure = { [nsfw.safe[0]!]: 0.3, [nsfw.unsafe[1]!]: 0.29 };
const safe = { [nsfw.safe[0]!]: 0.3, [nsfw.safe[1]!]: 0.29 };
const adult = { [underage.adult[0]!]: 0.3, [underage.adult[1]!]: 0.29 };
const thing = { [animal.other[0]!]: 0.2 };

test('UNSURE and NSFW are dropped where an underage category is among the two nearest, or an animal the nearest; UNLIKELY never', () => {
  for (const nearest of [unsafe, unsure]) {
    const NSFW = nearest === unsafe ? 'NSFW' : 'UNSURE';
    expect(judge.judge(picture({ ...nearest, ...adult, ...thing }), lawful)).toEqual({ NSFW });
    const second = { ...nearest, ...thing, [underage.adult[0]!]: 0.3, [underage.underage[2]!]: 0.25 };
    expect(judge.judge(picture(second), lawful)).toEqual({ NSFW, unlawful: 'unlawful-underage' });
    expect(judge.judge(picture({ ...nearest, ...adult, ...thing, [animal.animal[3]!]: 0.25 }), lawful)).toEqual({ NSFW, unlawful: 'unlawful-animal' });
    expect(judge.judge(picture({ ...nearest, ...adult, ...thing, [animal.animal[3]!]: 0.15 }), lawful)).toEqual({ NSFW });
    expect(judge.judge(picture({ ...nearest, ...adult, ...thing }), { caption: 'Teen', language: 'en' })).toEqual({ NSFW, unlawful: 'unlawful-underage' });
  }
  expect(judge.judge(picture({ ...safe, [underage.underage[0]!]: 0.9, [animal.animal[0]!]: 0.9 }), { caption: 'a teen', language: 'en' })).toEqual({
    NSFW: 'UNLIKELY',
  });
});

test.each([
  ['Teen model', 'en', true],
  ['TEENAGERS on a beach', 'en', true],
  ['thirteen canteens, kidney beans, Kidman', 'en', false],
  ['two kids', 'en', true],
  ['Bild eines Kindes', 'de', true],
  ['kind regards', 'en', false],
  ['a kind of blue', 'de', true],
  ['kind', '', true],
  ['une fillette', 'fr', true],
  ['une femme', 'fr', false],
  ['несовершеннолетняя', 'ru', true],
  ['美しい少女の写真', 'ja', true],
  ['成人照片', 'zh', false],
  ['teen', 'xx', true],
  ['un bebe\u0301', 'es', true],
])('the word rule on %j in %j: %s', (caption, language, expected) => {
  expect(judge.hasUnderageWord(caption, language)).toBe(expected);
});

test.each([
  ['a prompt twice', (text: string) => text.replace('- a selfie, a portrait of a person', '- neutral'), /has the prompt "neutral" twice in nsfw/],
  ['a part too many', (text: string) => `${text}\nnudity: 1\n`, /Unrecognized key: "nudity"/],
  ['an empty list', (text: string) => text.replace(/underage:\n {4}- [^]*? {2}adult:/, 'underage: []\n  adult:'), /underage.underage: Too small/],
  ['no YAML', () => '{', /can't be used/],
])('a file of categories with %s is refused', async (_what, change, message) => {
  const folder = await mkdtemp(join(tmpdir(), 'categories-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'mine.yaml');
  await writeFile(path, change(await readFile(packagedCategories, 'utf8')));
  await expect(readNsfwCategories(path)).rejects.toThrow(message);
});

/** Categories that mini knows: a heart counts as unsafe, a pizza too. */
const EMOJI = `
version: 1
nsfw:
  margin: 0
  safe: [dog face, puppy, cat face, kitten, red apple, green apple, fruit, bicycle, bike, automobile, car]
  unsafe: [red heart, love, pizza, slice of pizza]
underage:
  underage: [airplane]
  adult: [red heart, love, pizza, slice of pizza, food]
  words: { en: [flag*], es: [gato] }
animal:
  animal: [horse]
  other: [red heart, pizza, love]
`;

test('a sample has its label in pairs, json, embeddings and release; of an unlawful one nothing is kept but its hash', async () => {
  const run = await mkdtemp(join(tmpdir(), 'nsfw-'));
  onTestFinished(() => rm(run, { recursive: true, force: true }));
  const path = join(run, 'emoji.yaml');
  await writeFile(path, EMOJI);
  const rows = await writeSamplesShard(join(run, 'samples'), '00000', emojiSamples);
  const options = { model: 'mini', nsfwCategories: path };
  const { summary, shards } = await runOneStage(filter, run, options);
  expect(summary.dropped).toEqual({ similarity: 1, 'decode-failed': 1, 'unlawful-underage': 1 });
  expect(shards[0]!.made_by.models['nsfw-categories']).toMatch(/^[0-9a-f]{64}$/);
  const labels = { 'dog face': 'UNLIKELY', Katzengesicht: 'UNLIKELY', apple: 'UNLIKELY', 'red heart': 'NSFW', Fahrrad: 'UNLIKELY' };
  expect(Object.fromEntries((await allRows<Pair>(join(run, 'pairs'))).map(({ caption, NSFW }) => [caption, NSFW]))).toEqual(labels);
  const samples = await Array.fromAsync(readSamples(join(run, 'pairs/00000.tar')));
  expect(samples.map(({ members }) => (JSON.parse(Buffer.from(members.get('json')!).toString()) as Pair).NSFW)).toEqual(Object.values(labels));
  const pizza = rows.find(({ caption }) => caption === 'flag of Japan')!;
  const [unlawful, ...others] = (await rejectsOf(run, 'filter')).filter(({ reason }) => reason === 'unlawful-underage');
  expect([unlawful, others]).toEqual([{ hash: pizza.hash, url: '', text: null, reason: 'unlawful-underage', value: null, threshold: null }, []]);

  await runOneStage(embed, run, { model: 'mini' });
  expect(Object.fromEntries((await allRows<EmbeddingMetadata>(join(run, 'embeddings'))).map(({ caption, NSFW }) => [caption, NSFW]))).toEqual(labels);
  await runOneStage(release, run, {});
  expect(Object.fromEntries((await allRows<Release>(join(run, 'release'))).map(({ TEXT, NSFW }) => [TEXT, NSFW]))).toEqual(labels);

  // The two passes judge alike.
  await runOneStage(score, run, options);
  const again = await runOneStage(filter, run, { ...options, keepTop: 1 }, { redo: true });
  expect(again.summary.dropped).toEqual({ 'decode-failed': 1, 'unlawful-underage': 1 });
  await writeFile(path, EMOJI.replace('love, ', 'kiss, '));
  await expect(runOneStage(filter, run, { ...options, keepTop: 1 })).rejects.toThrow(/model file nsfw-categories was .*, is /);
});
