import { ShardError } from '../contracts/errors.ts';
import { BatchLink } from '../contracts/records.ts';
import { cutText } from '../formats/cut-text.ts';
import { type FurtherColumns, furtherColumns, furtherValues } from '../formats/further-columns.ts';
import { type ColumnGroup, readColumnGroups } from '../formats/parquet-column-groups.ts';
import { parquetElements } from '../formats/parquet.ts';
import { sampleHash } from '../formats/sample-hash.ts';
import { columnType, type RestColumn } from './further-values.ts';

/** A Parquet file of links. */
export interface LinkFile {
  /** Where it can be read. */
  readonly path: string;
  /** For messages: `links/en/00000.parquet`. */
  readonly name: string;
  /** Of links without a language of their own: `en` in the set en. */
  readonly language: string;
  /** True where Pairmill wrote it. Of another tool's the hashes are checked, and long texts cut. */
  readonly trusted: boolean;
}

/** Characters of a URL of another tool's links; ours are as long as extract let them be. A link with a longer one is dropped. */
export const MAX_URL_LENGTH = 20_000;
/** Characters of a text of another tool's links. A longer one is cut. */
const MAX_TEXT_LENGTH = 20_000;

/** utf-8 bytes by row; null or undefined where there is no value. */
export type TextColumn = ArrayLike<Uint8Array | null | undefined>;

/** Some thousand links by columns. A column that the file lacks is undefined. */
export interface LinkGroup {
  readonly rows: number;
  readonly hash: BigInt64Array;
  readonly url: TextColumn;
  /** As long as it may be. */
  readonly text: TextColumn | undefined;
  readonly language: TextColumn | undefined;
  readonly licence: TextColumn | undefined;
  readonly uid: TextColumn | undefined;
  readonly page_url: TextColumn | undefined;
  readonly crawl_file: TextColumn | undefined;
  readonly record_offset: ArrayLike<bigint | number | null | undefined> | undefined;
  /** In the order of `further`. Strings are bytes. */
  readonly further: readonly ArrayLike<unknown>[];
}

/** The hashes of some thousand links. */
export interface HashGroup {
  readonly hash: BigInt64Array;
  /** Rows whose URL is longer than it may be: they come in nowhere. */
  readonly urlTooLong: ReadonlySet<number>;
  /** Texts that are cut. */
  readonly cut: number;
}

const texts = ['language', 'licence', 'uid', 'page_url', 'crawl_file'] as const;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** An opened file of links: which of its columns are what. */
export class LinkFileReader {
  readonly file: LinkFile;
  /** Columns that Pairmill doesn't know. */
  readonly further: readonly RestColumn[];
  readonly #url: string;
  readonly #text: string | undefined;
  readonly #known: ReadonlySet<string>;
  /** Further columns of lists, structs or times: they are made text of. */
  readonly #composed: FurtherColumns;

  private constructor(file: LinkFile, url: string, text: string | undefined, known: ReadonlySet<string>, further: FurtherColumns, composed: FurtherColumns) {
    this.file = file;
    this.further = Object.entries(further).map(([name, schema]) => ({ name, type: columnType(schema) }));
    this.#url = url;
    this.#text = text;
    this.#known = known;
    this.#composed = composed;
  }

  /** Throws ShardError where the file has no column of URLs, or known columns of another type. */
  static async open(file: LinkFile): Promise<LinkFileReader> {
    const elements = await parquetElements(file.path);
    const names = elements.map(({ name }) => name);
    // LAION's files say URL and TEXT.
    const url = names.find((name) => name === 'url') ?? names.find((name) => name.toLowerCase() === 'url');
    if (url === undefined) throw new ShardError(`${file.name} has no column url (it has ${names.join(', ')}). Links need one; rename the column.`);
    const text = ['text', 'TEXT', 'caption'].find((name) => names.includes(name));
    for (const { name, type, plain } of elements) {
      const wanted =
        name === 'hash' || name === 'record_offset' ? 'INT64' : name === url || name === text || texts.some((each) => each === name) ? 'BYTE_ARRAY' : type;
      if (type !== wanted || (wanted !== type && !plain) || (name in BatchLink.shape && !plain))
        throw new ShardError(
          `The column ${name} of ${file.name} is of type ${type}, but links have ${wanted === 'INT64' ? 'whole numbers (INT64)' : 'text'} there. Rename or convert it.`,
        );
    }
    const all = await furtherColumns(file.path, BatchLink);
    const further = Object.fromEntries(Object.entries(all).filter(([name]) => name !== url && name !== text));
    const composed = Object.fromEntries(elements.flatMap(({ name, plain }) => (!plain && further[name] ? [[name, further[name]]] : [])));
    return new LinkFileReader(file, url, text, new Set(names.filter((name) => name in BatchLink.shape)), further, composed);
  }

  /** The hashes of all rows, in order. Throws ShardError where another tool's hash is not that of URL and text. */
  async *hashes(): AsyncGenerator<HashGroup> {
    const columns = this.file.trusted && this.#known.has('hash') ? ['hash'] : [this.#url, ...(this.#text === undefined ? [] : [this.#text])];
    const given = this.#known.has('hash') && columns[0] !== 'hash' ? ['hash'] : [];
    for await (const group of readColumnGroups(this.file.path, [...columns, ...given], 'bytes')) {
      const text = this.#cutTexts(group);
      yield { hash: this.#hashesOf(group, text), urlTooLong: this.file.trusted ? none : this.#urlsTooLong(group), cut: text?.cut.size ?? 0 };
    }
  }

  /** All columns, a row group at a time. `clean`: bytes that are no utf-8, or U+0000, are replaced. */
  async *groups(clean: boolean): AsyncGenerator<LinkGroup> {
    const plain = this.further.map(({ name }) => name).filter((name) => !(name in this.#composed));
    const known = [this.#url, ...(this.#text === undefined ? [] : [this.#text]), ...this.#known].filter((name, i, all) => all.indexOf(name) === i);
    const composed = Object.keys(this.#composed);
    const others = composed.length > 0 ? readColumnGroups(this.file.path, composed, 'text') : undefined;
    try {
      for await (const group of readColumnGroups(this.file.path, [...known, ...plain], 'bytes')) {
        const second = others ? ((await others.next()).value as ColumnGroup) : undefined;
        const text = this.#cutTexts(group);
        const storable = (values: TextColumn | undefined): TextColumn | undefined => (clean && values ? cleaned(values) : values);
        const column = (name: string): TextColumn | undefined => storable(group.columns.get(name) as TextColumn | undefined);
        if (clean) this.#assertStorable(group);
        yield {
          rows: group.rows,
          hash: this.#hashesOf(group, text),
          url: column(this.#url)!,
          text: storable(text?.values),
          language: column('language'),
          licence: column('licence'),
          uid: column('uid'),
          page_url: column('page_url'),
          crawl_file: column('crawl_file'),
          record_offset: group.columns.get('record_offset') as LinkGroup['record_offset'],
          further: this.further.map(({ name, type }) => {
            const schema = this.#composed[name];
            if (schema) return Array.from(second!.columns.get(name)!, (value) => composedText(value, schema));
            return type === 'string' ? column(name)! : group.columns.get(name)!;
          }),
        };
      }
    } finally {
      // It was asked for each group and never whether it has another.
      await others?.return(undefined);
    }
  }

  /** What a hash is made of can't be changed for the database's sake. */
  #assertStorable({ columns }: ColumnGroup): void {
    for (const name of [this.#url, this.#text]) {
      const value = name !== undefined && Array.from(columns.get(name) as TextColumn).find((each) => each?.includes(0));
      if (value)
        throw new ShardError(
          `${this.file.name}: the ${name} of a link (${JSON.stringify(decoder.decode(value).slice(0, 100))}) holds U+0000, which PostgreSQL can't store. Run extract again, or remove the character.`,
        );
    }
  }

  #urlsTooLong({ rows, columns }: ColumnGroup): Set<number> {
    const urls = columns.get(this.#url) as TextColumn;
    const tooLong = new Set<number>();
    for (let i = 0; i < rows; i++) if (isLonger(urls[i], MAX_URL_LENGTH)) tooLong.add(i);
    return tooLong;
  }

  /** The texts as they come in: of another tool's, those that are too long are cut. */
  #cutTexts({ columns }: ColumnGroup): CutTexts | undefined {
    const whole = this.#text === undefined ? undefined : (columns.get(this.#text) as TextColumn | undefined);
    if (!whole) return undefined;
    const cut = new Map<number, Uint8Array>();
    if (!this.file.trusted)
      for (let i = 0; i < whole.length; i++) {
        const value = whole[i];
        if (!value || value.length <= MAX_TEXT_LENGTH) continue;
        // No more than that many code points may need so many bytes.
        const { text, cut: isCut } = cutText(decoder.decode(value.subarray(0, 4 * MAX_TEXT_LENGTH + 4)), MAX_TEXT_LENGTH);
        if (isCut) cut.set(i, Buffer.from(text));
      }
    return { values: cut.size === 0 ? whole : Array.from(whole, (value, i) => cut.get(i) ?? value), cut };
  }

  #hashesOf({ rows, columns }: ColumnGroup, text: CutTexts | undefined): BigInt64Array {
    const given = columns.get('hash') as ArrayLike<bigint | null | undefined> | undefined;
    if (given && this.file.trusted) return BigInt64Array.from(given as ArrayLike<bigint>);
    const url = columns.get(this.#url) as TextColumn;
    return BigInt64Array.from({ length: rows }, (_, i) => {
      // Of one that is dropped no one asks for the hash.
      if (!this.file.trusted && isLonger(url[i], MAX_URL_LENGTH)) return 0n;
      const link = decoder.decode(url[i] ?? undefined);
      const computed = sampleHash(link, decoder.decode(text?.values[i] ?? undefined));
      // What was given is that of the whole text.
      if (given?.[i] != null && given[i] !== computed && !text?.cut.has(i))
        throw new ShardError(
          `${this.file.name}: the hash of ${link.slice(0, 200)} is ${given[i]} in the file, but ${computed} by its URL and text. Remove the column hash, or rename it.`,
        );
      return computed;
    });
  }
}

/** The text of a value; empty where there is none. */
export function decoded(value: Uint8Array | null | undefined): string {
  return value == null ? '' : decoder.decode(value);
}

const none: ReadonlySet<number> = new Set();

interface CutTexts {
  readonly values: TextColumn;
  /** By row. */
  readonly cut: ReadonlyMap<number, Uint8Array>;
}

function isLonger(value: Uint8Array | null | undefined, characters: number): boolean {
  // A character takes up to three bytes, or four where it counts as two.
  return value != null && value.length > characters && (value.length > 3 * characters || decoder.decode(value).length > characters);
}

/** Values that many rows share stay shared: one may be a megabyte. */
function cleaned(values: TextColumn): TextColumn {
  const known = new Map<Uint8Array, Uint8Array>();
  return Array.from(values, (value) => {
    if (value == null) return null;
    let clean = known.get(value);
    if (!clean) known.set(value, (clean = Buffer.from(decoder.decode(value).replaceAll('\0', '\u{FFFD}'))));
    return clean;
  });
}

function composedText(value: unknown, schema: FurtherColumns[string]): Uint8Array | null {
  const { value: text } = furtherValues({ value }, { value: schema }) as { value: unknown };
  return text === null ? null : Buffer.from(String(text));
}
