import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelsCommands } from '../../src/cli/commands/models.ts';
import { clipTokenizerJson } from '../models/clip-tokenizer-json.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'models-'));
  const fixtures = new URL('..', import.meta.url).pathname;
  await cp(join(fixtures, 'models/fixtures/tiny-clip'), join(folder, 'tiny'), { recursive: true });
  const tokenizer = await clipTokenizerJson(join(fixtures, 'fixtures/clip-golden/bpe_simple_vocab_16e6.txt.gz'));
  await writeFile(join(folder, 'tiny/tokenizer.json'), JSON.stringify(tokenizer));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs `pairmill models …` in this thread. */
async function models(...[action, ...positionals]: string[]): Promise<{ code: number; out: string }> {
  const command = modelsCommands.find(({ name }) => name === (action === undefined ? 'models' : `models ${action}`))!;
  let out = '';
  const say = (text: string): void => void (out += text);
  const io = { out: say, err: say, terminal: undefined, columns: 80, signal: new AbortController().signal, environment: {} };
  const code = await command.run({ flags: { 'model-cache': join(folder, 'cache'), 'hub-url': 'http://127.0.0.1:9' }, positionals }, io);
  return { code, out };
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

  test('anything else is refused with what it takes', async () => {
    await expect(models('pull')).rejects.toThrow(/takes list, pull MODEL… or verify MODEL….* one of mini, clip-vit-b-32/);
  });
});
