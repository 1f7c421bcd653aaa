import { linkColumns, restToJson, type StagedLink } from './staged-link.ts';

/** Rows that go to the connection in one chunk: a write per row costs more than the row. */
const ROWS_PER_CHUNK = 500;

/** Rows in the text format of COPY, `position` (from 0) first. Throws where a text holds U+0000, which PostgreSQL can't. */
export async function* copyChunks(rows: Iterable<StagedLink> | AsyncIterable<StagedLink>): AsyncGenerator<string, void> {
  let chunk = '';
  let position = 0;
  for await (const row of rows) {
    chunk += `${position}\t${linkColumns.map((column) => field(row[column], column, position)).join('\t')}\n`;
    position++;
    if (position % ROWS_PER_CHUNK === 0) {
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}

function field(value: StagedLink[keyof StagedLink] | undefined, column: string, position: number): string {
  if (value === null || value === undefined) return '\\N';
  if (typeof value === 'bigint') return value.toString();
  const text = typeof value === 'string' ? value : restToJson(value);
  if (text.includes('\0'))
    throw new Error(`row ${position}: the ${column} holds U+0000, which PostgreSQL can't store; run extract again, or remove the character`);
  return /[\\\t\n\r]/.test(text) ? text.replaceAll(/[\\\t\n\r]/g, (character) => ESCAPES[character]!) : text;
}

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
