import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';

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
  return { model: { vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges } };
}
