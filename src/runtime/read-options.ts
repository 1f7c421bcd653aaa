import type { z } from 'zod';
import { UsageError } from '../contracts/errors.ts';
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
    given[field.key] = coerce(field, found.value, found.label);
  }
  refuseUnknown(fields, sources);
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const key = String(issue.path[0] ?? '');
    const field = fields.find((candidate) => candidate.key === key);
    const label = labels.get(key) ?? `--${field?.flag ?? key}`;
    return given[key] === undefined ? `${label} is required: ${field?.description ?? ''}` : `${label}: ${issue.message} (given: ${JSON.stringify(given[key])})`;
  });
  throw new UsageError(problems.join('\n'));
}

function find(field: OptionField, { flags, environment, config, configName }: OptionSources): { value: unknown; label: string } | undefined {
  for (const flag of [field.flag, ...(field.aliases ?? [])]) {
    if (flags?.[flag] !== undefined) return { value: flags[flag], label: `--${flag}` };
  }
  const variable = environment?.[field.environment];
  if (variable !== undefined && variable !== '') return { value: variable, label: field.environment };
  for (const key of configKeys(field)) {
    if (config?.[key] !== undefined) return { value: config[key], label: `${configName ?? 'configuration'}: ${key}` };
  }
  return undefined;
}

function configKeys(field: OptionField): string[] {
  return [field.flag, field.key, ...(field.aliases ?? [])];
}

/** Text from a flag or variable into the option's kind; values of a configuration file have their kind already. */
function coerce(field: OptionField, value: unknown, label: string): unknown {
  if (field.kind === 'list') {
    const items = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',').filter((item) => item !== '') : [value];
    return items.map((item: unknown) => (field.items === 'number' ? toNumber(item, label) : String(item)));
  }
  const single: unknown = Array.isArray(value) ? value.at(-1) : value;
  if (field.kind === 'number') return toNumber(single, label);
  if (field.kind === 'boolean') {
    if (typeof single === 'boolean') return single;
    if (['true', '1', 'yes', 'True'].includes(String(single))) return true;
    if (['false', '0', 'no', 'False'].includes(String(single))) return false;
    throw new UsageError(`${label}: expected true or false (given: ${JSON.stringify(single)})`);
  }
  if (field.choices && !field.choices.includes(String(single)))
    throw new UsageError(`${label}: expected one of ${field.choices.join(', ')} (given: ${JSON.stringify(single)})`);
  return String(single);
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
  if (unknown.length > 0)
    throw new UsageError(`${configName ?? 'configuration'}: unknown keys ${unknown.join(', ')}. Known: ${fields.map(({ flag }) => flag).join(', ')}.`);
}
