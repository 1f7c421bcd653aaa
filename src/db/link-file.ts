import { ShardError } from '../contracts/errors.ts';
import { BatchLink } from '../contracts/records.ts';
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
  /** True where Pairmill computed the hashes; those of another tool are checked. */
  readonly trusted: boolean;
}

/** utf-8 bytes by row; null or undefined where there is no value. */
export type TextColumn = ArrayLike<Uint8Array | null | undefined>;

/** Some thousand links by columns. A column that the file lacks is undefined. */
export interface LinkGroup {
  readonly rows: number;
  readonly hash: BigInt64Array;
  readonly url: TextColumn;
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
  async *hashes(): AsyncGenerator<BigInt64Array> {
    const columns = this.file.trusted && this.#known.has('hash') ? ['hash'] : [this.#url, ...(this.#text === undefined ? [] : [this.#text])];
    const given = this.#known.has('hash') && columns[0] !== 'hash' ? ['hash'] : [];
    for await (const group of readColumnGroups(this.file.path, [...columns, ...given], 'bytes')) yield this.#hashesOf(group);
  }

  /** All columns, a row group at a time. `clean`: bytes that are no utf-8, or U+0000, are replaced. */
  async *groups(clean: boolean): AsyncGenerator<LinkGroup> {
    const plain = this.further.map(({ name }) => name).filter((name) => !(name in this.#composed));
    const known = [this.#url, ...(this.#text === undefined ? [] : [this.#text]), ...this.#known].filter((name, i, all) => all.indexOf(name) === i);
    const composed = Object.keys(this.#composed);
    const others = composed.length > 0 ? readColumnGroups(this.file.path, composed, 'text') : undefined;
    for await (const group of readColumnGroups(this.file.path, [...known, ...plain], 'bytes')) {
      const second = others ? ((await others.next()).value as ColumnGroup) : undefined;
      const column = (name: string | undefined): TextColumn | undefined => {
        const values = name === undefined ? undefined : (group.columns.get(name) as TextColumn | undefined);
        return clean && values ? Array.from(values, cleaned) : values;
      };
      if (clean) this.#assertStorable(group);
      yield {
        rows: group.rows,
        hash: this.#hashesOf(group),
        url: column(this.#url)!,
        text: column(this.#text),
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

  #hashesOf({ rows, columns }: ColumnGroup): BigInt64Array {
    const given = columns.get('hash') as ArrayLike<bigint | null | undefined> | undefined;
    if (given && this.file.trusted) return BigInt64Array.from(given as ArrayLike<bigint>);
    const [url, text] = [columns.get(this.#url) as TextColumn, this.#text === undefined ? undefined : (columns.get(this.#text) as TextColumn)];
    return BigInt64Array.from({ length: rows }, (_, i) => {
      const link = decoder.decode(url[i] ?? undefined);
      const computed = sampleHash(link, decoder.decode(text?.[i] ?? undefined));
      if (given?.[i] != null && given[i] !== computed)
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

function cleaned(value: Uint8Array | null | undefined): Uint8Array | null {
  return value == null ? null : Buffer.from(decoder.decode(value).replaceAll('\0', '\u{FFFD}'));
}

function composedText(value: unknown, schema: FurtherColumns[string]): Uint8Array | null {
  const { value: text } = furtherValues({ value }, { value: schema }) as { value: unknown };
  return text === null ? null : Buffer.from(String(text));
}
