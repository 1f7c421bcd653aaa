import { z } from 'zod';
import { cleanCaption } from './clean-caption.ts';

/**
 * open_clip's SimpleTokenizer (open_clip/tokenizer.py, after openai/CLIP): clean, lower-case, split, bytes to
 * characters, byte pairs; start and end token around them. Vocabulary and merges are read from the hub's
 * tokenizer.json, whose ids are the same.
 */

const TokenizerJson = z.looseObject({
  model: z.looseObject({
    vocab: z.record(z.string(), z.int()),
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});

const START = '<|startoftext|>';
const END = '<|endoftext|>';

/** Special tokens in open_clip's spelling, which a caption may hold literally. */
const pattern = /<start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^ \p{L}\p{N}]+/giu;

/** Words kept with their tokens; captions repeat words, and a crawl has no end of new ones. */
const MAX_CACHED_WORDS = 100_000;

/** A tokenizer for the content of tokenizer.json; at most `maxTokens` ids, the last of them the end token. */
export function openClipTokenizer(json: unknown, maxTokens: number): (text: string) => number[] {
  const { vocab, merges } = TokenizerJson.parse(json).model;
  const id = (token: string): number => {
    const found = vocab[token];
    if (found === undefined) throw new Error(`the vocabulary has no ${JSON.stringify(token)}`);
    return found;
  };
  const [start, end] = [id(START), id(END)];
  const ranks = new Map(merges.map((merge, rank) => [typeof merge === 'string' ? merge : merge.join(' '), rank]));
  const cache = new Map<string, number[]>();

  const idsOfWord = (word: string): number[] => {
    if (word === '<start_of_text>') return [start];
    if (word === '<end_of_text>') return [end];
    let ids = cache.get(word);
    if (!ids) {
      ids = mergePairs(bytesAsCharacters(word), ranks).map(id);
      if (cache.size >= MAX_CACHED_WORDS) cache.clear();
      cache.set(word, ids);
    }
    return ids;
  };

  return (text) => {
    const ids = [start];
    for (const [word] of cleanCaption(text).matchAll(pattern)) {
      ids.push(...idsOfWord(word));
      if (ids.length >= maxTokens) break;
    }
    ids.length = Math.min(ids.length, maxTokens - 1);
    ids.push(end);
    return ids;
  };
}

/** Joins the pair of lowest rank, everywhere, until no pair has a rank. */
function mergePairs(characters: string[], ranks: ReadonlyMap<string, number>): string[] {
  let word = [...characters.slice(0, -1), `${characters.at(-1)!}</w>`];
  while (word.length > 1) {
    let best = -1;
    let bestRank = Infinity;
    for (let i = 0; i + 1 < word.length; i++) {
      const rank = ranks.get(`${word[i]} ${word[i + 1]}`);
      if (rank !== undefined && rank < bestRank) [best, bestRank] = [i, rank];
    }
    if (best < 0) break;
    const [first, second] = [word[best]!, word[best + 1]!];
    const merged: string[] = [];
    for (let i = 0; i < word.length; i++) {
      if (word[i] === first && word[i + 1] === second) {
        merged.push(first + second);
        i++;
      } else merged.push(word[i]!);
    }
    word = merged;
  }
  return word;
}

/** A visible character for each byte: printable Latin-1 stands for itself, the other 68 bytes for U+0100 on. */
const byteCharacters: readonly string[] = (() => {
  const printable = (byte: number): boolean => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let other = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : other++));
})();

function bytesAsCharacters(word: string): string[] {
  return Array.from(Buffer.from(word, 'utf8'), (byte) => byteCharacters[byte]!);
}
