import { z } from 'zod';

/** What an option says of itself beside its zod type, default and description. */
export interface OptionMeta {
  /** Unit of the value: bytes, pixels, seconds, … */
  unit?: string;
  /** Name of the value in help: FILE, URL, N. */
  value?: string;
  /** Value of the flag where it is given without one. */
  bare?: string;
  /** Other spellings, such as img2dataset's or clip-retrieval's. */
  aliases?: string[];
  /** Values that a peer takes and this does not: what to give instead. A sentence that follows `--flag value: `. */
  instead?: Readonly<Record<string, string>>;
  /** False where the value can't change the result (threads, progress): left out of the fingerprint. */
  decidesResult?: boolean;
  /** Why the default differs from the peer's; shown in docs. */
  note?: string;
  /**
   * The value is a path or a URL (of a list, each item): relative to the working folder, in a configuration file to that file. `many`:
   * several, separated by commas. `name`: a name, unless it has a slash.
   */
  path?: 'one' | 'many' | 'name';
  /** Several stages have the option and it means the same in all: one value may serve them together. */
  shared?: boolean;
  /** Among the options that most people give: help shows it first. */
  often?: boolean;
}

declare module 'zod' {
  interface GlobalMeta extends OptionMeta {}
}

/**
 * Declares one option: the schema (with its default), what it means, and the rest. CLI flag, environment variable,
 * configuration key, help, docs and types derive from this one declaration. The key is camelCase in the schema;
 * the flag is its kebab-case, the variable PAIRMILL_ + upper case.
 */
export function option<T extends z.ZodType>(schema: T, description: string, meta: OptionMeta = {}): T {
  return schema.describe(description).meta({ ...meta, description });
}
