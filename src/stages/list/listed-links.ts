import { z } from 'zod';
import type { DropReason } from '../../contracts/drop-reason.ts';
import { UsageError } from '../../contracts/errors.ts';
import { BatchLink, type Reject } from '../../contracts/records.ts';
import { type FurtherColumns, furtherValues } from '../../formats/further-columns.ts';
import { inputNames } from '../../formats/input-columns.ts';
import type { ListColumns } from '../../formats/list-columns.ts';
import { cutText } from '../../formats/cut-text.ts';
import { sampleHash, sampleUid } from '../../formats/sample-hash.ts';
import type { LanguageDetector } from '../../language/language-detector.ts';
import type { ListedColumn } from '../../sources/open-list.ts';
import type { ListOptions } from './options.ts';

type Drop = (reason: DropReason<'list'>, item: Omit<Reject, 'reason'>) => void;

const types: Readonly<Record<string, () => z.ZodType>> = {
  BIGINT: () => z.int64(),
  INTEGER: () => z.int32(),
  SMALLINT: () => z.int32(),
  TINYINT: () => z.int32(),
  USMALLINT: () => z.int32(),
  UTINYINT: () => z.int32(),
  UINTEGER: () => z.int64(),
  FLOAT: () => z.float32(),
  DOUBLE: () => z.number(),
  BOOLEAN: () => z.boolean(),
};

/** Makes links of the rows of one list. */
export class ListedLinks {
  /** Columns that come along, by their names from now on. */
  readonly further: FurtherColumns;
  /** Those that got another name: `input_` and theirs in lower case. */
  readonly renamed: Readonly<Record<string, string>>;
  /** Texts that were cut. */
  cut = 0;
  /** Of the columns that come along: there, and from now on. */
  readonly #names: ReadonlyMap<string, string>;
  readonly #columns: ListColumns;
  readonly #item: string;
  readonly #options: ListOptions;
  readonly #makeDetector: () => Promise<LanguageDetector | undefined>;
  #detector: LanguageDetector | undefined | 'unasked' = 'unasked';

  /** `item` names the list in messages; the detector is made with the first text that needs it. */
  constructor(
    listed: readonly ListedColumn[],
    columns: ListColumns,
    item: string,
    options: ListOptions,
    makeDetector: () => Promise<LanguageDetector | undefined>,
  ) {
    this.#columns = columns;
    this.#item = item;
    this.#options = options;
    this.#makeDetector = makeDetector;
    const taken = new Set<string | undefined>([columns.url, columns.text, columns.language, columns.licence, ...Object.keys(BatchLink.shape)]);
    const { saveAdditionalColumns: wanted } = options;
    const missing = wanted?.find((name) => !listed.some((column) => column.name === name));
    if (missing !== undefined)
      throw new UsageError(
        `${item} has no column ${missing}. Its columns are ${listed.map(({ name }) => name).join(', ')}. Name them with --save-additional-columns.`,
      );
    const passed = listed.filter(({ name }) => !taken.has(name) && (wanted?.includes(name) ?? true));
    const names = inputNames(passed.map(({ name }) => name));
    this.further = Object.fromEntries(passed.map(({ name, type }) => [names.get(name)!, (types[type]?.() ?? z.string()).nullable()]));
    this.#names = names;
    this.renamed = Object.fromEntries([...names].filter(([from, to]) => from !== to));
  }

  /** The link of a row, or undefined where it was dropped. Throws UsageError where a column is not what it should be. */
  async link(row: Readonly<Record<string, unknown>>, drop: Drop): Promise<(BatchLink & Record<string, unknown>) | undefined> {
    const { maxUrlLength, maxTextLength } = this.#options;
    const url = textOf(row, this.#columns.url);
    const whole = textOf(row, this.#columns.text);
    if (url === '') {
      drop('no-url', { hash: null, url: '', text: whole.slice(0, maxTextLength), value: null, threshold: null });
      return undefined;
    }
    if (url.length > maxUrlLength) {
      drop('url-too-long', { hash: null, url: url.slice(0, maxUrlLength), text: null, value: String(url.length), threshold: String(maxUrlLength) });
      return undefined;
    }
    const { text, cut } = cutText(whole, maxTextLength);
    if (cut) this.cut++;
    const offset = row['record_offset'];
    return {
      hash: this.#hash(row['hash'], url, text, cut),
      url,
      text,
      language: textOf(row, this.#columns.language).trim().toLowerCase() || (await this.#languageOf(text)),
      licence: textOf(row, this.#columns.licence) || null,
      uid: textOf(row, 'uid') || sampleUid(url, text),
      page_url: textOf(row, 'page_url'),
      crawl_file: textOf(row, 'crawl_file'),
      record_offset: typeof offset === 'bigint' ? offset : typeof offset === 'number' ? BigInt(Math.trunc(offset)) : null,
      ...furtherValues(this.#named(row), this.further),
    };
  }

  /** What the user should hear of. */
  warnings(): string[] {
    const renamed = Object.entries(this.renamed).map(([from, to]) => `${from} is ${to}`);
    return [
      ...(renamed.length > 0 ? [`${this.#item} has columns that Pairmill writes itself; they come along under another name: ${renamed.join(', ')}.`] : []),
      ...(this.cut > 0
        ? [`${this.#item}: ${this.cut} ${this.cut === 1 ? 'text was' : 'texts were'} cut to --max-text-length ${this.#options.maxTextLength}.`]
        : []),
    ];
  }

  #named(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return Object.fromEntries([...this.#names].map(([from, to]) => [to, row[from]]));
  }

  #hash(given: unknown, url: string, text: string, isCut: boolean): bigint {
    const computed = sampleHash(url, text);
    if (typeof given !== 'bigint' || given === computed || isCut) return computed;
    if (this.#options.trustHash) return given;
    throw new UsageError(
      `${this.#item}: the hash of ${url} is ${given} in the file, but ${computed} by its URL and text. Check --caption-col, or keep the file's with --trust-hash.`,
    );
  }

  async #languageOf(text: string): Promise<string> {
    if (this.#options.language !== undefined) return this.#options.language;
    if (text === '') return '';
    if (this.#detector === 'unasked') this.#detector = await this.#makeDetector();
    return this.#detector?.detect(text)?.code ?? '';
  }
}

function textOf(row: Readonly<Record<string, unknown>>, column: string | undefined): string {
  const value = column === undefined ? undefined : row[column];
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : String(value);
}
