import type { Sample } from '../../contracts/records.ts';

// Not yet in TypeScript's own declarations.
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

/**
 * The `json` member of a sample: Python's `json.dumps(meta, indent=4)`, columns in the order of the Parquet file.
 * Everything beyond ASCII is escaped, as Python does, so that lone surrogates survive; int64 is written digit by digit.
 */
export function sampleJson(sample: Sample): Uint8Array {
  const text = JSON.stringify(sample, (_key, value: unknown) => (typeof value === 'bigint' ? rawJson(String(value)) : value), 4);
  return Buffer.from(
    text.replace(/[\u007F-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
    'latin1',
  );
}
