/** A link as it lies in PostgreSQL: the columns that later stages read, and the input's other columns in `rest`. */
export interface StagedLink {
  hash: bigint;
  record_offset: bigint | null;
  url: string;
  text: string | null;
  language: string | null;
  /** `en`, `multi` or `nolang`. */
  set_name: string | null;
  licence: string | null;
  uid: string | null;
  page_url: string | null;
  crawl_file: string | null;
  rest: Record<string, unknown> | null;
}

/** The columns of pairmill.links, in its order: COPY and SELECT name them all, so that the order in the table is free. */
export const linkColumns = [
  'hash',
  'record_offset',
  'url',
  'text',
  'language',
  'set_name',
  'licence',
  'uid',
  'page_url',
  'crawl_file',
  'rest',
] as const satisfies readonly (keyof StagedLink)[];

/** `rest` as JSON text; int64 as a JSON number. */
export function restToJson(rest: Record<string, unknown>): string {
  return JSON.stringify(rest, (_key, value: unknown) => (typeof value === 'bigint' ? rawJson(String(value)) : value));
}

/** The inverse: an integer that a JavaScript number can't hold exactly becomes a BigInt. */
export function restFromJson(text: string): Record<string, unknown> {
  const revive = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && context?.source !== undefined && /^-?\d+$/.test(context.source)
      ? BigInt(context.source)
      : value;
  return JSON.parse(text, revive) as Record<string, unknown>;
}

// TypeScript's own declarations do not have it yet.
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };
