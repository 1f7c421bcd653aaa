import { findListColumns } from '../../formats/list-columns.ts';
import { parsePythonJson } from '../../formats/raw-json.ts';

/** A picture of the user's, before it is read. */
export interface OwnPicture {
  /** The path relative to the folder, or the URL that the metadata of a tar names. */
  readonly url: string;
  readonly caption: string;
  /** What is known beside it: json, a row of a list. */
  readonly known: Readonly<Record<string, unknown>>;
  /** Why it is left out, where the json beside it can't be read. */
  readonly broken?: string | undefined;
  read(): Promise<Uint8Array>;
}

/** The text of a picture: of its metadata, else of the text beside it, else what its file name says. */
export function captionOf(
  { known, txt, fileName }: { known: Readonly<Record<string, unknown>>; txt?: string | undefined; fileName?: string },
  captionCol?: string,
): string {
  const column = findListColumns(Object.keys(known), { text: captionCol }).text;
  const value = column === undefined ? undefined : known[column];
  if (typeof value === 'string' && value.trim() !== '') return value;
  if (txt !== undefined && txt.trim() !== '') return txt.trim();
  return fileName === undefined ? '' : wordsOfName(fileName);
}

/** The URL that its metadata says; undefined where it says none. */
export function urlOf(known: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const url = known?.['url'] ?? known?.['URL'];
  return typeof url === 'string' && url !== '' ? url : undefined;
}

/** Words out of a file name; empty where it is the number of a camera, a hash or the like. */
export function wordsOfName(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
  const words = name
    .split(/[\s_.+-]+/)
    .filter((word) => word !== '' && !/^\d+$/.test(word))
    .filter((word) => !/^(?:img|dsc[fn]?|dscn|pict?|image|photo|screenshot|whatsapp|p|mvi|vid|scan)\d*$/i.test(word));
  const isWord = (word: string): boolean => /^[\p{L}\p{M}']{2,}$/u.test(word) && !(word.length >= 16 && /^[0-9a-f]+$/i.test(word));
  return words.some((word) => isWord(word) && word.length >= 3) && words.every((word) => !/\d.*[a-z].*\d/i.test(word)) ? words.join(' ') : '';
}

/** The object of a json beside a picture; integers are bigint. Undefined where it is none. */
export function knownOfJson(bytes: Uint8Array): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = parsePythonJson(
      Buffer.from(bytes)
        .toString('utf8')
        .replace(/^\uFEFF/, ''),
      (_key, inner, context) => (typeof inner === 'number' && /^-?\d+$/.test(context?.source ?? '') ? BigInt(context!.source!) : inner),
    );
  } catch {
    return undefined;
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}
