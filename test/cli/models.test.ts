import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { modelsCommands } from '../../src/cli/commands/models.ts';
import { findClassifier } from '../../src/models/classifiers/find-classifier.ts';
import { loadModel, modelChecksums } from '../../src/models/load-model.ts';
import { clipTokenizerJson } from '../models/clip-tokenizer-json.ts';
import { LoopbackHub } from '../models/loopback-hub.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'models-'));
  const fixtures = new URL('..', import.meta.url).pathname;
  await cp(join(fixtures, 'models/fixtures/tiny-clip'), join(folder, 'tiny'), { recursive: true });
  const tokenizer = await clipTokenizerJson(join(fixtures, 'fixtures/clip-golden/bpe_simple_vocab_16e6.txt.gz'));
  await writeFile(join(folder, 'tiny/tokenizer.json'), JSON.stringify(tokenizer));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs `pairmill models …` in this thread, without a hub unless one is named. */
const models = (...positionals: string[]) => modelsWith({}, ...positionals);
async function modelsWith(flags: Record<string, string | true>, ...[action, ...positionals]: string[]): Promise<{ code: number; out: string }> {
  const command = modelsCommands.find(({ name }) => name === (action === undefined ? 'models' : `models ${action}`))!;
  let out = '';
  const say = (text: string): void => void (out += text);
  const io = { out: say, err: say, terminal: undefined, columns: 80, signal: new AbortController().signal, environment: {} };
  const code = await command.run({ flags: { 'model-cache': join(folder, 'cache'), 'hub-url': 'http://127.0.0.1:9', ...flags }, positionals }, io);
  return { code, out };
}

const modelFiles = ['onnx/vision_model.onnx', 'onnx/text_model.onnx', 'tokenizer.json'];

/** A hub that has the tiny model's files as those of clip-vit-b-32, and a cache of its own. */
async function mirror(cache: string): Promise<{ hub: LoopbackHub; flags: Record<string, string> }> {
  const hub = new LoopbackHub();
  await hub.start();
  onTestFinished(() => hub.stop());
  for (const name of modelFiles) hub.files.set(name, await readFile(join(folder, 'tiny', name)));
  return { hub, flags: { 'hub-url': hub.url, 'model-cache': join(folder, cache) } };
}

describe('pairmill models', () => {
  test('list says which are here', async () => {
    const { out } = await models();
    expect(out).toMatch(/^mini +encoder +256 numbers +64 px +here, 13\.3 MB$/m);
    expect(out).toMatch(/^siglip-vit-b-16 +encoder +768 numbers +224 px +on the hub$/m);
    expect(out).toMatch(/^nsfw_pixels +classifier of pictures +5 labels +224 px +here, [\d.]+ MB$/m);
  });

  test('verify holds a folder against what is recorded, and finds wrong weights out', async () => {
    const { code, out } = await models('verify', join(folder, 'tiny'));
    expect(out).toMatch(/right {4}vectors of 3 pictures are those recorded .* smallest cosine (1\.0|0\.99999)/);
    expect(out).toMatch(/right {4}vectors of 82 texts are those recorded/);
    expect(code).toBe(0);
    // Another picture tower: one whose file is whole, and not that of the recorded vectors.
    const other = join(folder, 'other');
    await cp(join(folder, 'tiny'), other, { recursive: true });
    const settings = JSON.parse(await readFile(join(other, 'preprocessor_config.json'), 'utf8')) as object;
    await writeFile(join(other, 'preprocessor_config.json'), JSON.stringify({ ...settings, image_mean: [2, 0, -2] }));
    const wrong = await models('verify', other);
    expect(wrong.out).toMatch(/wrong {4}vectors of 3 pictures are those recorded/);
    expect(wrong.code).toBe(1);
  });

  test('verify says what it could not check', async () => {
    const { code, out } = await models('verify', 'mini');
    expect(out).toMatch(/right {4}a vector does not depend on its batch/);
    expect(out).toMatch(/unknown {2}whether these are the vectors that the model should give: no embeddings of it are recorded/);
    expect(code).toBe(0);
  });

  test('pull: of a mirror, with a token, on from where a connection broke; a second pull asks for nothing; the model then works', async () => {
    const { hub, flags } = await mirror('pulled');
    hub.breakAfter = [100_000];
    const { code, out } = await modelsWith({ ...flags, 'hub-token': 'secret' }, 'pull', 'clip-vit-b-32');
    expect(code).toBe(0);
    expect(out).toMatch(/^onnx\/vision_model\.onnx \([\d,]+ bytes\)$/m);
    expect(out).toMatch(/^clip-vit-b-32 is here: 3 files, [\d,]+ bytes, as the hub has them\.$/m);
    expect(hub.requests.filter((request) => request.includes('/storage/onnx/vision_model.onnx'))).toEqual([
      '/storage/onnx/vision_model.onnx',
      expect.stringMatching(/ bytes=\d+-$/) as string,
    ]);
    expect(new Set(hub.tokens)).toEqual(new Set(['Bearer secret']));
    expect((await modelsWith(flags, 'list')).out).toMatch(/^clip-vit-b-32 .* here, [\d.]+ MB$/m);

    const requests = hub.requests.length;
    const again = await modelsWith({ ...flags, json: true }, 'pull', 'clip-vit-b-32');
    const { checksums } = JSON.parse(again.out) as { checksums: Record<string, string> };
    for (const name of modelFiles) expect(checksums[`clip-vit-b-32/${name}`]).toBe(createHash('sha256').update(hub.files.get(name)!).digest('hex'));
    expect(hub.requests).toHaveLength(requests);
  });

  test('pull: what never has the checksum that the hub names is not kept, and the message says where to put the files by hand', async () => {
    const { hub, flags } = await mirror('damaged');
    hub.corrupt = 99;
    const failure = (await modelsWith(flags, 'pull', 'clip-vit-b-32').catch((error: unknown) => error)) as Error;
    expect(failure.message).toMatch(
      /onnx\/vision_model\.onnx could not be downloaded from http.*its checksum is [0-9a-f]{64} where the hub names [0-9a-f]{64}/s,
    );
    const cache = join(folder, 'damaged/Xenova/clip-vit-base-patch32/main');
    for (const name of modelFiles) expect(failure.message).toContain(`${hub.url}/Xenova/clip-vit-base-patch32/resolve/main/${name} -> ${join(cache, name)}`);
    expect(failure.message).toContain('`pairmill models verify clip-vit-b-32` says whether all is well');
    expect(await readdir(join(cache, 'onnx'))).toEqual([]);
    // Put there by hand, they are taken.
    for (const name of modelFiles) await writeFile(join(cache, name), hub.files.get(name)!);
    expect((await modelsWith(flags, 'pull', 'clip-vit-b-32')).out).toMatch(/clip-vit-b-32 is here/);
  }, 20_000);

  test('anything else is refused with what it takes', async () => {
    await expect(models('pull')).rejects.toThrow(/takes list, pull MODEL… or verify MODEL….* one of mini, clip-vit-b-32.*, nsfw_pixels/);
  });
});

describe('repositories of the hub that have no id', () => {
  const fixtures = new URL('../models/fixtures/', import.meta.url).pathname;

  /** A hub with a fixture whose ONNX file lies in onnx/, as transformers.js has it. */
  async function hubWith(fixture: string, cache: string): Promise<{ hub: LoopbackHub; flags: Record<string, string> }> {
    const hub = new LoopbackHub();
    await hub.start();
    onTestFinished(() => hub.stop());
    for (const name of await readdir(join(fixtures, fixture)))
      if (name !== 'expected.json') hub.files.set(name.replace('model.onnx', 'onnx/model.onnx'), await readFile(join(fixtures, fixture, name)));
    return { hub, flags: { 'hub-url': hub.url, 'model-cache': join(folder, cache) } };
  }

  test('a gated classifier is pulled with the token, on from where a connection broke; list shows it, verify runs it, and tag finds it without the hub', async () => {
    const { hub, flags } = await hubWith('tiny-watermark', 'gated');
    hub.gate = 'secret';
    const name = 'hf://laion/watermark';
    await expect(modelsWith(flags, 'pull', name)).rejects.toThrow(
      /hub answered 401.*`pairmill models pull` takes it as --hub-token, or from PAIRMILL_HUB_TOKEN/s,
    );
    hub.breakAfter = [100_000];
    const { out } = await modelsWith({ ...flags, 'hub-token': 'secret' }, 'pull', name);
    expect(out).toMatch(/^onnx\/model\.onnx \([\d,]+ bytes\)$/m);
    expect(out).toMatch(/^hf:\/\/laion\/watermark is here: 3 files, [\d,]+ bytes, as the hub has them\.$/m);
    expect(hub.requests.filter((request) => request.startsWith('/storage/'))).toEqual([
      '/storage/onnx/model.onnx',
      expect.stringMatching(/ bytes=\d+-$/) as string,
    ]);

    const requests = hub.requests.length;
    const checksums = (JSON.parse((await modelsWith({ ...flags, json: true }, 'pull', name)).out) as { checksums: Record<string, string> }).checksums;
    expect(checksums['watermark/onnx/model.onnx']).toBe(createHash('sha256').update(hub.files.get('onnx/model.onnx')!).digest('hex'));
    expect((await modelsWith(flags, 'list')).out).toMatch(/^hf:\/\/laion\/watermark +classifier of pictures +2 labels +256 px +here, 1\.[\d.]+ MB$/m);
    const verified = await modelsWith(flags, 'verify', name);
    expect(verified.out).toMatch(/right {4}its 3 files are as they were when they came into the cache/);
    expect(verified.out).toMatch(/right {4}it reads pictures of 256 px and gives a number for each of its 2 labels/);
    expect(verified.out).toMatch(/unknown {2}whether these are the scores that the model should give/);
    expect(verified.code).toBe(0);
    expect(hub.requests).toHaveLength(requests);
    const found = await findClassifier(name, 'pictures', { cacheFolder: flags['model-cache']!, hubUrl: 'http://127.0.0.1:9' });
    expect(found.classifier.columns).toEqual([{ name: 'watermark', label: 0 }]);
  });

  test('an encoder: pulled and verified, with the vectors and the checksums of the same files in a folder', async () => {
    const { hub, flags } = await mirror('encoder');
    for (const name of ['config.json', 'preprocessor_config.json']) hub.files.set(name, await readFile(join(folder, 'tiny', name)));
    const name = 'hf://me/tiny@main';
    expect((await modelsWith(flags, 'pull', name)).out).toMatch(/^hf:\/\/me\/tiny@main is here: 5 files/m);
    expect((await modelsWith(flags, 'verify', name)).code).toBe(0);
    const settings = { cacheFolder: flags['model-cache']!, hubUrl: 'http://127.0.0.1:9' };
    const [ofHub, ofFolder] = await Promise.all([name, join(folder, 'tiny')].map((model) => loadModel(model, settings)));
    expect((await ofHub!.encodeTexts(['a dog']))[0]).toEqual((await ofFolder!.encodeTexts(['a dog']))[0]);
    await Promise.all([ofHub!.close(), ofFolder!.close()]);
    expect(await modelChecksums(name, settings)).toEqual(await modelChecksums(join(folder, 'tiny'), settings));
  });

  test('where the hub does not give them, one message names the files of every kind; put there by hand, verify accepts them', async () => {
    const hub = new LoopbackHub();
    await hub.start();
    onTestFinished(() => hub.stop());
    const flags = { 'hub-url': hub.url, 'model-cache': join(folder, 'by-hand') };
    const failure = (await modelsWith(flags, 'pull', 'hf://owner/toxic').catch((error: unknown) => error)) as Error;
    const cache = join(folder, 'by-hand/owner/toxic/main');
    for (const kind of ['an encoder of pictures and texts', 'a classifier of pictures', 'a classifier of texts'])
      expect(failure.message).toContain(`of ${kind}`);
    for (const name of ['config.json', 'onnx/text_model.onnx', 'preprocessor_config.json', 'onnx/model.onnx', 'tokenizer_config.json'])
      expect(failure.message).toContain(`  ${hub.url}/owner/toxic/resolve/main/${name} -> ${join(cache, name)}\n`);
    expect(failure.message).toContain('`pairmill models verify hf://owner/toxic` says whether all is well');
    await cp(join(fixtures, 'tiny-bert'), cache, { recursive: true });
    await mkdir(join(cache, 'onnx'));
    await rename(join(cache, 'model.onnx'), join(cache, 'onnx/model.onnx'));
    const { code, out } = await modelsWith(flags, 'verify', 'hf://owner/toxic');
    expect(out).toMatch(/right {4}scores of 82 texts are what was recorded/);
    expect(code).toBe(0);
  });
});

describe('verify of a classifier', () => {
  const watermark = new URL('../models/fixtures/tiny-watermark', import.meta.url).pathname;

  test('the one of the package: checksums, labels, scores of its own runtime', async () => {
    const { code, out } = await models('verify', 'nsfw_pixels');
    expect(out).toMatch(/right {4}its 3 files are those of its checksums\.json/);
    expect(out).toMatch(/columns nsfw_pixels_drawing, nsfw_pixels_hentai, /);
    expect(out).toMatch(/right {4}scores of 2 pictures are what was recorded \(nsfwjs/);
    expect(out).not.toMatch(/wrong|unknown/);
    expect(code).toBe(0);
  });

  test('a folder: wrong preprocessing and an ONNX file of other labels are found out, what could not be checked is said', async () => {
    const copy = join(folder, 'watermark');
    await cp(watermark, copy, { recursive: true });
    for (const name of ['416_264.jpg', '524_316.jpg']) await cp(new URL(`../fixtures/clip-golden/${name}`, import.meta.url), join(copy, name));
    const right = await models('verify', copy);
    expect(right.out).toMatch(/right {4}scores of 3 pictures are what was recorded \(expected\.json of its folder\): largest difference \d/);
    expect(right.out).toMatch(/unknown {2}whether its 3 files are whole: the folder has no checksums\.json/);
    expect(right.code).toBe(0);
    await rm(join(copy, '524_316.jpg'));
    expect((await models('verify', copy)).out).toMatch(/unknown {2}scores of 1 further picture that are recorded: the pictures are not in the folder/);

    const settings = JSON.parse(await readFile(join(copy, 'preprocessor_config.json'), 'utf8')) as object;
    await writeFile(join(copy, 'preprocessor_config.json'), JSON.stringify({ ...settings, image_mean: [0, 0, 0] }));
    const other = await models('verify', copy);
    expect(other.out).toMatch(/wrong {4}scores of 2 pictures are what was recorded/);
    expect(other.code).toBe(1);
    await writeFile(join(copy, 'config.json'), JSON.stringify({ id2label: { '0': 'a', '1': 'b', '2': 'c' } }));
    const labels = await models('verify', copy);
    expect(labels.out).toMatch(/wrong {4}it reads pictures of 256 px and gives a number for each of its 3 labels .* where float32 \[3,3\] is expected/);
    expect(labels.code).toBe(1);
  });
});
