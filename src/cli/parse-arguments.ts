import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from '../contracts/errors.ts';
import { optionFields } from '../runtime/option-fields.ts';
import type { Arguments, Command } from './command.ts';

/** Splits what was typed after the command into flags and positionals by the command's options. Throws UsageError. */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } };
  const known: string[] = [];
  for (const field of optionFields(command.options)) {
    for (const flag of [field.flag, ...(field.aliases ?? [])].flatMap(spellings)) {
      known.push(flag);
      options[flag] = field.kind === 'boolean' ? { type: 'boolean' } : { type: 'string', multiple: field.kind === 'list' };
    }
  }
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({
      args: argv.map(booleanWithValue(command)).map(bareValue(command)),
      options,
      allowPositionals: true,
      allowNegative: true,
      strict: true,
    });
  } catch (error) {
    const unknown = /Unknown option '(--?[^']*)'/.exec(error instanceof Error ? error.message : '')?.[1];
    if (unknown) {
      const near = nearest(unknown.replace(/^-+(no-)?/, ''), known);
      throw new UsageError(
        `pairmill ${command.name}: unknown option ${unknown}.${near ? ` Did you mean --${near}?` : ''} See pairmill ${command.name} --help.`,
      );
    }
    throw new UsageError(
      `pairmill ${command.name}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)} See pairmill ${command.name} --help.`,
    );
  }
  if (parsed.positionals.length > 0 && !command.positionals && !parsed.values['help']) {
    throw new UsageError(`pairmill ${command.name}: unexpected argument ${JSON.stringify(parsed.positionals[0])}. See pairmill ${command.name} --help.`);
  }
  const flags: Record<string, unknown> = {};
  for (const [flag, value] of Object.entries(parsed.values)) {
    // img2dataset and clip-retrieval spell options with underscores.
    const plain = flag.replaceAll('_', '-');
    // A list given several times, each perhaps with commas.
    flags[plain] = Array.isArray(value) ? value.flatMap((item) => String(item).split(',')) : value;
  }
  return { flags, positionals: parsed.positionals };
}

function spellings(flag: string): string[] {
  return flag.includes('-') ? [flag, flag.replaceAll('-', '_')] : [flag];
}

/** `--flag=true|false`, and Python fire's `--flag True` joined by the shell with `=`, for switches. */
function booleanWithValue(command: Command): (argument: string) => string {
  const booleans = new Set(
    optionFields(command.options)
      .filter(({ kind }) => kind === 'boolean')
      .flatMap(({ flag, aliases }) => [flag, ...(aliases ?? [])].flatMap(spellings)),
  );
  return (argument) => {
    const match = /^--([^=]+)=(true|false)$/i.exec(argument);
    if (!match || !booleans.has(match[1]!)) return argument;
    return match[2]!.toLowerCase() === 'true' ? `--${match[1]}` : `--no-${match[1]}`;
  };
}

/** `--flag` alone of an option that has a value for that; one with a value is written `--flag=VALUE`. */
function bareValue(command: Command): (argument: string) => string {
  const bare = new Map(
    optionFields(command.options).flatMap(({ flag, bare: value }) => (value === undefined ? [] : spellings(flag).map((name) => [`--${name}`, value]))),
  );
  return (argument) => (bare.has(argument) ? `${argument}=${bare.get(argument)}` : argument);
}

/** The known word nearest to what was typed, within two edits or as a prefix. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of known) {
    const distance = candidate.startsWith(word) && word.length > 2 ? 1 : editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
