import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, RunError, systemCode, UsageError } from '../contracts/errors.ts';

/**
 * A JSON file of a model folder; `absent` where it is missing. Throws UsageError where it is missing and there is no such value, or
 * where it is not understood, RunError where it is damaged.
 */
export async function readModelConfig<T extends z.ZodType>(folder: string, file: string, schema: T, absent?: z.output<T>): Promise<z.output<T>> {
  const path = join(folder, file);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    if (absent !== undefined) return absent;
    throw new UsageError(`The model folder ${folder} has no ${file}. docs/models.md says what a model folder holds.`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new RunError(`The model file ${path} is corrupted: it is not JSON (${messageOf(error)}). Restore the file, or give another --model.`);
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new UsageError(`${path} is not a configuration that is understood: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`);
  return parsed.data;
}
