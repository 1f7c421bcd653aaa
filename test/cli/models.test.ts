import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { modelsCommands } from '../../src/cli/commands/models.ts';
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
    expect(out).toMatch(/^mini +256 numbers {2}64 px {2}here$/m);
    expect(out).toMatch(/^siglip-vit-b-16 +768 numbers {2}224 px {2}on the hub$/m);
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
    expect((await modelsWith(flags, 'list')).out).toMatch(/^clip-vit-b-32 .* here$/m);

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
    await expect(models('pull')).rejects.toThrow(/takes list, pull MODEL… or verify MODEL….* one of mini, clip-vit-b-32/);
  });
});
