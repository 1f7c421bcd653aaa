import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readParquet } from '../../src/formats/parquet.ts';
import { cleanCaption } from '../../src/models/tokenizers/clean-caption.ts';
import { findModel } from '../../src/models/find-model.ts';
import { openClipTokenizer } from '../../src/models/tokenizers/open-clip-tokenizer.ts';
import { packagedModelFolder } from '../../src/models/registry.ts';
import { readTokenizer } from '../../src/models/tokenizers/tokenizer.ts';
import { requirePython } from '../python.ts';
import { clipTokenizerJson } from './clip-tokenizer-json.ts';
import { requireSharedData } from '../local-paths.ts';

/** From ftfy 6.3.1 and open_clip 2.32.0: recipes/clean-caption/make_tables.py captions. */
const golden = JSON.parse(await readFile(new URL('golden/open-clip-captions.json', import.meta.url), 'utf8')) as {
  text: string;
  clean: string;
  ids: number[];
}[];

/** From open_clip 2.32.0 and tokenizers 0.23: recipes/clean-caption/make_tables.py differences. */
interface Differences {
  sha256: { openClip: string; hub: string };
  rows: { text: string; openClip: number[]; hub: number[] }[];
}

describe('captions for CLIP', () => {
  test.each(golden)('$text is cleaned as open_clip cleans it', ({ text, clean }) => {
    expect(cleanCaption(text)).toBe(clean);
  });

  test("ids are open_clip's, at most 77, the last the end token", async (context) => {
    const file = requireSharedData(context, 'clip-golden/bpe_simple_vocab_16e6.txt.gz');
    const tokenize = openClipTokenizer(await clipTokenizerJson(file), 77);
    for (const { text, ids } of golden) expect(tokenize(text), text).toEqual(ids);
  });

  test("on 10,000 captions of LAION's, both kinds of ids are those of the references; the captions on which they differ are listed", async (context) => {
    const captions = requireSharedData(context, 'laion-samples/img2dataset_test_10000.parquet');
    const { sha256, rows } = JSON.parse(await readFile(new URL('golden/tokenizer-differences.json', import.meta.url), 'utf8')) as Differences;
    const folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
    const file = join(folder, 'tokenizer.json');
    await writeFile(file, JSON.stringify(await clipTokenizerJson(requireSharedData(context, 'clip-golden/bpe_simple_vocab_16e6.txt.gz'))));
    const { text: tower } = await findModel('clip-vit-b-32');
    const [openClip, hub] = [await readTokenizer(file, tower), await readTokenizer(file, { ...tower, tokenization: 'hub' })];
    const sums = { openClip: createHash('sha256'), hub: createHash('sha256') };
    const differing: Differences['rows'] = [];
    for await (const { TEXT: text } of readParquet<{ TEXT: string | null }>(captions, ['TEXT'])) {
      if (!text) continue;
      const ids = { openClip: openClip(text), hub: hub(text) };
      for (const name of ['openClip', 'hub'] as const) sums[name].update(`${ids[name].join(',')}\n`);
      if (ids.openClip.join() !== ids.hub.join()) differing.push({ text, ...ids });
    }
    expect(differing).toEqual(rows);
    expect({ openClip: sums.openClip.digest('hex'), hub: sums.hub.digest('hex') }).toEqual(sha256);
    await rm(folder, { recursive: true });
  });

  test('byte pairs are joined by rank, from strings or pairs', () => {
    const vocab = { a: 0, b: 1, 'c</w>': 2, ab: 3, 'abc</w>': 4, 'b</w>': 5, '<|startoftext|>': 6, '<|endoftext|>': 7 };
    for (const merges of [
      ['a b', 'ab c</w>'],
      [
        ['a', 'b'],
        ['ab', 'c</w>'],
      ],
    ]) {
      const tokenize = openClipTokenizer({ model: { vocab, merges } }, 5);
      expect(tokenize('ABC')).toEqual([6, 4, 7]);
      expect(tokenize('abb abc')).toEqual([6, 3, 5, 4, 7]);
      expect(tokenize('abc abc abc abc')).toEqual([6, 4, 4, 4, 7]);
      expect(tokenize('')).toEqual([6, 7]);
    }
  });
});

describe('tokenizer.json', () => {
  const mini = packagedModelFolder('mini')!;

  test("mini's ids are those of Python's tokenizers", async (context) => {
    const python = requirePython(context, 'tokenizers');
    const tokenize = await readTokenizer(join(mini, 'tokenizer.json'), (await findModel('mini')).text);
    const texts = [
      'dog',
      'Hundegesicht',
      'Flagge: Österreich',
      '日本語の猫',
      'قطة',
      'ไก่',
      'ﬁne   ½ cups',
      "it's: red-hot!",
      '',
      '한국어 개',
      '😀 smile',
      'une très grande pizza avec beaucoup de fromage et de tomates et encore bien plus de choses dessus',
    ];
    const theirs = JSON.parse(
      python(
        'import sys, json; from tokenizers import Tokenizer; t = Tokenizer.from_file(sys.argv[1]); t.enable_truncation(24); print(json.dumps([e.ids for e in t.encode_batch(json.loads(sys.argv[2]))]))',
        [join(mini, 'tokenizer.json'), JSON.stringify(texts)],
      ),
    ) as number[][];
    expect(texts.map(tokenize)).toEqual(theirs);
  });

  test('a long text keeps the tokens that the template puts after it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
    const path = join(folder, 'tokenizer.json');
    const special = (id: string, number: number): object => ({
      id: number,
      content: id,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    });
    await writeFile(
      path,
      JSON.stringify({
        version: '1.0',
        added_tokens: [special('<s>', 0), special('</s>', 1)],
        normalizer: null,
        pre_tokenizer: { type: 'WhitespaceSplit' },
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
          pair: [],
          special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] }, '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
        },
        decoder: null,
        model: {
          type: 'WordPiece',
          unk_token: 'x',
          continuing_subword_prefix: '##',
          max_input_chars_per_word: 100,
          vocab: { '<s>': 0, '</s>': 1, a: 2, b: 3, c: 4, x: 5 },
        },
      }),
    );
    const tokenize = await readTokenizer(path, { ...(await findModel('mini')).text, maxTokens: 4 });
    expect(tokenize('a b')).toEqual([0, 2, 3, 1]);
    expect(tokenize('a b c a b c')).toEqual([0, 2, 3, 1]);
    expect(tokenize('')).toEqual([0, 1]);
    await rm(folder, { recursive: true });
  });

  test('a damaged file is named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
    const path = join(folder, 'tokenizer.json');
    await writeFile(path, '{"model": ');
    const { text } = await findModel('mini');
    await expect(readTokenizer(path, text)).rejects.toThrow(/tokenizer\.json can't be read as a tokenizer.*remove it/s);
    await rm(folder, { recursive: true });
  });
});
