import { readFile } from 'node:fs/promises';
import { Tokenizer as UntypedTokenizer } from '@huggingface/tokenizers';
import { messageOf, RunError } from '../../contracts/errors.ts';
import type { TextTower } from '../model-entry.ts';
import { openClipTokenizer } from './open-clip-tokenizer.ts';

/** Of the package's class: its own declarations import without extensions, which TypeScript does not follow under Node's rules. */
interface HubTokenizer {
  encode(text: string, options?: { add_special_tokens: boolean }): { ids: number[] };
}
const HubTokenizer = UntypedTokenizer as unknown as new (tokenizer: object, config: object) => HubTokenizer;

/** Text -> token ids, start and end included, cut to the model's length and not padded. */
export type Tokenizer = (text: string) => number[];

/**
 * Reads tokenizer.json for a text tower: open_clip's tokenisation for OpenAI's and OpenCLIP's models, else what the file
 * says (run by @huggingface/tokenizers). The two differ on captions with HTML entities or broken encodings.
 */
export async function readTokenizer(path: string, { tokenization, maxTokens }: Pick<TextTower, 'tokenization' | 'maxTokens'>): Promise<Tokenizer> {
  try {
    const json = JSON.parse(await readFile(path, 'utf8')) as object;
    if (tokenization === 'open-clip') return openClipTokenizer(json, maxTokens);
    const hub = new HubTokenizer(json, {});
    // A step of its own, or a setting of BERT's.
    const lowers = /"Lowercase"|"lowercase":true/.test(JSON.stringify((json as { normalizer?: unknown }).normalizer ?? null));
    return (text) => cut(hub, asInRust(text, lowers), maxTokens);
  } catch (error) {
    throw new RunError(
      `The model file ${path} can't be read as a tokenizer: ${messageOf(error)}. It is damaged: remove it so that it is fetched again, restore it, or give another --model.`,
      { cause: error },
    );
  }
}

/**
 * Where JavaScript and Rust, in which the reference is written, differ: JavaScript writes a capital sigma at the end of a word as ς, and
 * takes the byte order mark for white space. What takes its place is as unknown to vocabularies.
 */
function asInRust(text: string, lowers: boolean): string {
  return (lowers ? text.replaceAll('Σ', 'σ') : text).replaceAll('\uFEFF', '\uE000');
}

/** As HF's truncation: the template's tokens before and after the text stay, the text between them is cut. */
function cut(hub: HubTokenizer, text: string, maxTokens: number): number[] {
  const ids = hub.encode(text.toWellFormed()).ids;
  if (ids.length <= maxTokens) return ids;
  const bare = hub.encode(text.toWellFormed(), { add_special_tokens: false }).ids;
  const special = ids.length - bare.length;
  let before = 0;
  while (before < special && !bare.every((id, i) => ids[before + i] === id)) before++;
  return [...ids.slice(0, before), ...bare.slice(0, maxTokens - special), ...ids.slice(before + bare.length)];
}
