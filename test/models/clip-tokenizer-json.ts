import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';

const WORDS = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/** tokenizer.json as the hub has it, from CLIP's own file. */
export async function clipTokenizerJson(vocabularyPath: string): Promise<object> {
  const bpe = gunzipSync(await readFile(vocabularyPath)).toString('utf8');
  const merges = bpe.split('\n').slice(1, 49152 - 256 - 2 + 1);
  const printable = [...Array(256).keys()].filter((byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174);
  const bytes = [
    ...printable.map((byte) => String.fromCharCode(byte)),
    ...Array.from({ length: 256 - printable.length }, (_, i) => String.fromCharCode(256 + i)),
  ];
  const tokens = [...bytes, ...bytes.map((byte) => `${byte}</w>`), ...merges.map((merge) => merge.replace(' ', '')), '<|startoftext|>', '<|endoftext|>'];
  const [start, end] = ['<|startoftext|>', '<|endoftext|>'] as const;
  const plain = { single_word: false, lstrip: false, rstrip: false, special: true };
  return {
    version: '1.0',
    added_tokens: [
      { id: 49406, content: start, normalized: true, ...plain },
      { id: 49407, content: end, normalized: false, ...plain },
    ],
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' }, { type: 'Lowercase' }] },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: WORDS }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
      ],
    },
    post_processor: { type: 'RobertaProcessing', sep: [end, 49407], cls: [start, 49406], trim_offsets: false, add_prefix_space: false },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
    model: {
      type: 'BPE',
      unk_token: end,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}
