import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

/** Records that are made to take memory or time, each read in a process of its own. */
async function read(name: string, kind = 'image'): Promise<{ links: number; damage: object; megabytes: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(new URL('./hostile-records.ts', import.meta.url)), name, kind], {
    timeout: 100_000,
  });
  return JSON.parse(stdout) as { links: number; damage: object; megabytes: number };
}

describe('a record of 31 MB', () => {
  it.each([
    ['a million links in a WAT', 'image', 1_083_528, {}],
    ['a million links in a WAT', 'any', 0, { 'too-large': 1 }],
    ['three million links in HTML', 'image', 2_955_077, {}],
    ['two million attributes', 'image', 1, {}],
    ['two million header fields', 'image', 0, {}],
    ['ten million chunks', 'image', 0, {}],
    ['open elements', 'image', 0, {}],
    ['deep JSON in the head', 'image', 0, { 'too-large': 1 }],
    ['deep JSON that is parsed', 'any', 0, { json: 1 }],
    ['half a million texts that look like a licence', 'image', 1, {}],
  ])('of %s (%s) takes bounded memory', { timeout: 120_000 }, async (name, kind, links, damage) => {
    const result = await read(name, kind);
    expect(result).toMatchObject({ links, damage });
    // Measured: 280 MB at most; before these were bounded, 1,600 MB (and an hour for the last).
    expect(result.megabytes).toBeLessThan(500);
  });
});
