import type { z } from 'zod';
import type { OptionMeta } from '../contracts/option.ts';
import { kebabCase } from './stable-json.ts';

/** One option as flags, environment, help and docs need it, derived from its zod declaration. */
export interface OptionField extends OptionMeta {
  /** camelCase key in the schema. */
  key: string;
  /** Without the leading dashes. */
  flag: string;
  environment: string;
  kind: 'boolean' | 'number' | 'string' | 'list';
  /** Kind of a list's items. */
  items?: 'number' | 'string';
  choices?: string[];
  default: unknown;
  required: boolean;
  description: string;
}

interface Definition {
  type: string;
  innerType?: z.ZodType;
  element?: z.ZodType;
  entries?: Record<string, string>;
  defaultValue?: unknown;
  options?: z.ZodType[];
}

/** The options of a schema in the order of their declaration. */
export function optionFields(schema: z.ZodObject): OptionField[] {
  return Object.entries(schema.shape).map(([key, type]) => optionField(key, type as z.ZodType));
}

function optionField(key: string, type: z.ZodType): OptionField {
  const flag = kebabCase(key);
  const meta = type.meta() ?? {};
  let required = true;
  let fallback: unknown;
  let inner = type;
  for (let def = definition(inner); ['default', 'prefault', 'optional', 'nullable'].includes(def.type); def = definition(inner)) {
    required = false;
    if (def.type === 'default' || def.type === 'prefault') fallback = def.defaultValue;
    inner = def.innerType!;
  }
  const def = definition(inner);
  const common = {
    ...meta,
    key,
    flag,
    environment: `PAIRMILL_${flag.replaceAll('-', '_').toUpperCase()}`,
    default: fallback,
    required,
    description: meta.description ?? '',
  };
  if (def.type === 'array') return { ...common, kind: 'list', items: definition(def.element!).type === 'number' ? 'number' : 'string' };
  if (def.type === 'enum') return { ...common, kind: 'string', choices: Object.values(def.entries!) };
  if (def.type === 'boolean' || def.type === 'number' || def.type === 'string') return { ...common, kind: def.type };
  throw new Error(`option ${key}: no flag for zod type ${def.type}`);
}

function definition(type: z.ZodType): Definition {
  return (type as unknown as { def: Definition }).def;
}
