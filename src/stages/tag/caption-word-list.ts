import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, UsageError } from '../../contracts/errors.ts';
import { readColumnGroups } from '../../formats/parquet-column-groups.ts';
import { parquetColumns } from '../../formats/parquet.ts';
import { WordLists } from '../../language/word-lists.ts';
import { fileChecksum } from '../../models/files/file-checksum.ts';

/** Words by language, as `--caption-word-list` takes them. */
const Lists = z.record(z.string().regex(/^[a-z]{2,3}$/, 'a language is two or three letters'), z.array(z.string().min(1)).min(1));

/** What `--caption-word-list` fills: a look-up, which its name says, and no model's score. */
export const WORD_LIST_COLUMN = 'caption_word_list';

/** sha256 of the file, for the fingerprint. */
export async function wordListChecksums(path: string | undefined): Promise<Record<string, string>> {
  if (path === undefined) return {};
  await readWordLists(path);
  return { 'caption-word-list': (await fileChecksum(path)).sha256 };
}

/** Throws UsageError where the file is missing or no such list. */
export async function readWordLists(path: string): Promise<WordLists> {
  const refuse = (why: string): UsageError =>
    new UsageError(`--caption-word-list ${path} ${why}. It is a YAML or JSON file with a list of words for each language: docs/tag.md has an example.`);
  let value: unknown;
  try {
    value = parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw refuse(`can't be read: ${messageOf(error).split('\n')[0]}`);
  }
  const parsed = Lists.safeParse(value);
  if (!parsed.success) throw refuse(`is not understood: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`);
  return new WordLists(parsed.data);
}

/** For each row of a part whether its caption has a word of the lists: 1 or 0. */
export async function captionsWithWords(metadata: string, rows: number, lists: WordLists): Promise<Float32Array> {
  const found = new Float32Array(rows);
  const hasLanguage = (await parquetColumns(metadata)).includes('language');
  let row = 0;
  for await (const { rows: ofGroup, columns } of readColumnGroups(metadata, ['caption', ...(hasLanguage ? ['language'] : [])], 'text')) {
    const text = (name: string, i: number): string => String(columns.get(name)?.[i] ?? '');
    for (let i = 0; i < ofGroup; i++, row++) found[row] = lists.matches(text('caption', i), text('language', i)) ? 1 : 0;
  }
  return found;
}
