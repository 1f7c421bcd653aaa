import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { z } from 'zod';
import { messageOf, UsageError } from '../contracts/errors.ts';
import { fileSystemError } from './file-system-error.ts';
import { pipeline } from '../pipeline.ts';

/** A configuration file: keys of the run, and a section for each stage that it names. */
export interface RunConfig {
  readonly top: Readonly<Record<string, unknown>>;
  readonly sections: Readonly<Record<string, Record<string, unknown>>>;
}

/** Reads a configuration in YAML. Throws UsageError where it can't be read or is no mapping. */
export async function readRunConfig(path: string): Promise<RunConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`The configuration can't be read. ${fileSystemError(error)?.message ?? messageOf(error)}`);
  }
  try {
    const config: unknown = parse(text) ?? {};
    if (typeof config !== 'object' || Array.isArray(config)) throw new Error('it is not a mapping of keys to values');
    return splitSections(config as Record<string, unknown>, path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`The configuration ${path} is not valid YAML: ${messageOf(error)}`);
  }
}

function splitSections(config: Record<string, unknown>, path: string): RunConfig {
  const top: Record<string, unknown> = {};
  const sections: Record<string, Record<string, unknown>> = {};
  for (const [key, value] of Object.entries(config)) {
    if (!pipeline.some(({ name }) => name === key)) top[key] = value;
    else if (value === null) sections[key] = {};
    else if (typeof value === 'object' && !Array.isArray(value)) sections[key] = value as Record<string, unknown>;
    else throw new UsageError(`${path}: ${key} is a stage: its value must be a mapping of options.`);
  }
  return { top, sections };
}

/** Divides the keys of the run between two schemas; a key that belongs to neither is left to the first, which refuses it. */
export function divideKeys(top: RunConfig['top'], first: z.ZodObject, second: z.ZodObject): [Record<string, unknown>, Record<string, unknown>] {
  const belongs = (key: string, schema: z.ZodObject): boolean => key.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()) in schema.shape;
  const entries = Object.entries(top);
  return [
    Object.fromEntries(entries.filter(([key]) => belongs(key, first) || !belongs(key, second))),
    Object.fromEntries(entries.filter(([key]) => !belongs(key, first) && belongs(key, second))),
  ];
}
