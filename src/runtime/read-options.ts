import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { nounFor } from '../contracts/counted.ts';
import { UsageError } from '../contracts/errors.ts';
import { isUrl } from '../storage/location.ts';
import { nearest } from './nearest.ts';
import { type OptionField, optionFields } from './option-fields.ts';

/** Where values come from; the first that has one wins: flag, environment, configuration file, default. */
export interface OptionSources {
  /** Values by flag name as typed; a repeated flag is an array; `true`/`false` for switches. */
  flags?: Readonly<Record<string, unknown>> | undefined;
  environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** A section of a configuration file: kebab-case or camelCase keys. */
  config?: Readonly<Record<string, unknown>> | undefined;
  /** Shown in errors about `config`. */
  configName?: string | undefined;
  /** Folder of the configuration file: its paths are relative to that. */
  configFolder?: string | undefined;
}

/**
 * Reads and checks the options of a schema. Throws UsageError that names each wrong option, what was given, and what
 * is wanted. Flags and environment that belong to other schemas are left alone; unknown configuration keys are errors.
 */
export function readOptions<S extends z.ZodObject>(schema: S, sources: OptionSources): z.output<S> {
  const fields = optionFields(schema);
  const given: Record<string, unknown> = {};
  const labels = new Map<string, string>();
  for (const field of fields) {
    const found = find(field, sources);
    if (!found) continue;
    labels.set(field.key, found.label);
    given[field.key] = withPaths(field, coerce(field, found.value, found.label), found.folder);
  }
  refuseUnknown(fields, sources);
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const key = String(issue.path[0] ?? '');
    const field = fields.find((candidate) => candidate.key === key);
    const label = labels.get(key) ?? `--${field?.flag ?? key}`;
    return given[key] === undefined ? `${label} is required: ${field?.description ?? ''}` : `${label}: ${wanted(issue)} (given: ${JSON.stringify(given[key])})`;
  });
  throw new UsageError(problems.join('\n'));
}

/** What a value has to be, in words. */
function wanted(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small') {
    if (issue.origin === 'array') return `expected ${issue.minimum} or more values`;
    return `expected a number ${issue.inclusive === false ? 'above' : 'of at least'} ${issue.minimum}`;
  }
  if (issue.code === 'too_big') return `expected a number ${issue.inclusive === false ? 'below' : 'of at most'} ${issue.maximum}`;
  if (issue.code === 'invalid_type' && issue.expected === 'int') return 'expected a whole number';
  return issue.message;
}

interface Found {
  value: unknown;
  label: string;
  /** Folder of the file that it stands in; undefined where it was typed or is in the environment. */
  folder?: string | undefined;
}

function find(field: OptionField, { flags, environment, config, configName, configFolder }: OptionSources): Found | undefined {
  for (const flag of [field.flag, ...(field.aliases ?? [])]) {
    if (flags?.[flag] !== undefined) return { value: flags[flag], label: `--${flag}` };
  }
  const variable = environment?.[field.environment];
  if (variable !== undefined && variable !== '') return { value: variable, label: field.environment };
  for (const key of configKeys(field)) {
    if (config?.[key] !== undefined) return { value: config[key], label: `${configName ?? 'configuration'}: ${key}`, folder: configFolder };
  }
  return undefined;
}

function configKeys(field: OptionField): string[] {
  return [field.flag, field.key, ...(field.aliases ?? [])];
}

/** Text from a flag or variable into the option's kind; values of a configuration file have their kind already. */
function coerce(field: OptionField, value: unknown, label: string): unknown {
  if (field.kind === 'list') {
    const items = Array.isArray(value) ? value : typeof value === 'string' ? listOf(value) : [value];
    return items
      .map((item: unknown) => String(item).trim())
      .filter((item) => item !== '')
      .map((item) => (field.items === 'number' ? toNumber(item, label) : item));
  }
  const single: unknown = Array.isArray(value) ? value.at(-1) : value;
  if (field.kind === 'number') return toNumber(single, label);
  if (field.kind === 'boolean') {
    if (typeof single === 'boolean') return single;
    if (['true', '1', 'yes', 'True'].includes(String(single))) return true;
    if (['false', '0', 'no', 'False'].includes(String(single))) return false;
    throw new UsageError(`${label}: expected true or false (given: ${JSON.stringify(single)})`);
  }
  const text = String(single);
  if (!field.choices || field.choices.includes(text)) return text;
  const instead = field.instead?.[text];
  throw new UsageError(
    instead === undefined ? `${label}: expected one of ${field.choices.join(', ')} (given: ${JSON.stringify(single)})` : `${label} ${text}: ${instead}`,
  );
}

/** `a,b`, or `["a","b"]` as Python's tools take it. */
function listOf(text: string): readonly unknown[] {
  if (!/^\[.*\]$/s.test(text.trim())) return text.split(',');
  try {
    return JSON.parse(text.replaceAll("'", '"')) as unknown[];
  } catch {
    return text.trim().slice(1, -1).split(',');
  }
}

/** Makes the paths in a value absolute. */
function withPaths({ path }: OptionField, value: unknown, folder: string | undefined): unknown {
  if (path === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => absolute(path, String(item), folder));
  if (path !== 'many') return absolute(path, String(value), folder);
  return String(value)
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map((item) => absolute(path, item, folder))
    .join(',');
}

function absolute(kind: NonNullable<OptionField['path']>, text: string, folder: string | undefined): string {
  if (text === '' || isUrl(text)) return text;
  // What is typed without a slash is looked up as a name first, and then as a folder in the working folder.
  if (kind === 'name' && !text.includes('/') && (folder === undefined || !existsSync(join(folder, text)))) return text;
  // No shell expands it after `=`, in a variable or in a file.
  if (text === '~' || text.startsWith('~/')) return join(homedir(), text.slice(2));
  return resolve(folder ?? '.', text);
}

function toNumber(value: unknown, label: string): number {
  const text = String(value).trim().replaceAll('_', '');
  const number = /^[+-]?inf(inity)?$/i.test(text) ? Number.POSITIVE_INFINITY : Number(text);
  if (text === '' || Number.isNaN(number)) throw new UsageError(`${label}: expected a number (given: ${JSON.stringify(value)})`);
  return number;
}

function refuseUnknown(fields: OptionField[], { config, configName }: OptionSources): void {
  const known = new Set(fields.flatMap(configKeys));
  const unknown = Object.keys(config ?? {}).filter((key) => !known.has(key));
  if (unknown.length === 0) return;
  const named = unknown.map((key) => {
    const near = nearest(key, [...known]);
    return near === undefined ? key : `${key} (did you mean ${near}?)`;
  });
  throw new UsageError(
    `${configName ?? 'configuration'}: unknown ${nounFor(unknown.length, 'keys')} ${named.join(', ')}. There are ${fields.map(({ flag }) => flag).join(', ')}.`,
  );
}
