import { type ParseArgsConfig, parseArgs } from 'node:util';
import { messageOf, UsageError } from '../contracts/errors.ts';
import { type OptionField, optionFields } from '../runtime/option-fields.ts';
import type { Arguments, Command } from './command.ts';
import { nearest } from '../runtime/nearest.ts';
import { peerOptions } from './peer-options.ts';

/** Splits what was typed after the command into flags and positionals by the command's options. Throws UsageError. */
export function parseArguments(command: Command, argv: readonly string[], commands: readonly Command[] = [command]): Arguments {
  const fields = new Map<string, OptionField>();
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', short: 'h' } };
  for (const field of [...optionFields(command.options), ...(command.unlisted ? optionFields(command.unlisted) : [])]) {
    for (const flag of [field.flag, ...(field.aliases ?? [])].flatMap(spellings)) {
      fields.set(flag, field);
      options[flag] = field.kind === 'boolean' ? { type: 'boolean' } : { type: 'string', multiple: field.kind === 'list' };
    }
  }
  const args = joinedValues(argv, fields);
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true, allowNegative: true, strict: true });
  } catch (error) {
    throw usageError(command, error, fields, commands);
  }
  if (parsed.positionals.length > 0 && !command.positionals && !parsed.values['help']) throw unexpectedArgument(command, args, parsed.positionals, fields);
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

/**
 * Arguments as `parseArgs` takes them: `--threshold -1` and `--redo filter, embed` joined to one, `--flag=true` of switches as the
 * switch, and a flag that has a value for that, alone.
 */
function joinedValues(argv: readonly string[], fields: ReadonlyMap<string, OptionField>): string[] {
  const args: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    let argument = argv[i]!;
    // What follows are positionals.
    if (argument === '--') return [...args, ...argv.slice(i)];
    const field = fields.get(/^--([^=]+)/.exec(argument)?.[1] ?? '');
    if (field?.kind === 'boolean') argument = switchOf(argument);
    else if (field?.bare !== undefined && !argument.includes('=')) argument = `${argument}=${field.bare}`;
    else if (field !== undefined) {
      const next = argv[i + 1];
      if (!argument.includes('=') && next !== undefined && (!next.startsWith('-') || /^-(?:\d|\.\d|inf)/i.test(next))) argument += `=${argv[++i]}`;
      while (field.kind === 'list' && argument.endsWith(',') && argv[i + 1] !== undefined && !argv[i + 1]!.startsWith('-')) argument += argv[++i];
    }
    args.push(argument);
  }
  return args;
}

/** `--flag=true|false`, and Python fire's `--flag=True`. */
function switchOf(argument: string): string {
  const match = /^--([^=]+)=(true|false)$/i.exec(argument);
  if (!match) return argument;
  return match[2]!.toLowerCase() === 'true' ? `--${match[1]}` : `--no-${match[1]}`;
}

function usageError(command: Command, error: unknown, fields: ReadonlyMap<string, OptionField>, commands: readonly Command[]): UsageError {
  const [message] = messageOf(error).split('\n');
  const help = `pairmill ${command.name} --help lists its options.`;
  const unknown = /Unknown option '(--?[^']*)'/.exec(message!)?.[1];
  if (unknown === undefined) {
    const flag = /Option '(?:-\w, )?--([^ ']+)/.exec(message!)?.[1];
    const field = flag === undefined ? undefined : fields.get(flag);
    if (field?.kind === 'boolean') return new UsageError(`pairmill ${command.name}: --${flag} is a switch and takes no value. Give --${flag} or --no-${flag}.`);
    if (field) return new UsageError(`pairmill ${command.name}: --${flag} needs a value. Give it as --${flag}=VALUE. ${help}`);
    return new UsageError(`pairmill ${command.name}: ${message} ${help}`);
  }
  const name = unknown.replace(/^-+(no-)?/, '');
  const ofPeer = peerOptions[name.replaceAll('_', '-')];
  if (ofPeer) return new UsageError(`pairmill ${command.name}: ${ofPeer.peer}'s ${unknown.replace(/=.*/, '')}: ${ofPeer.answer}`);
  const near = nearest(name, [...fields.keys()]);
  const others = commands.filter(({ hidden, options }) => !hidden && optionFields(options).some(({ flag }) => flag === name.replaceAll('_', '-')));
  const next =
    fields.has(name) && unknown.startsWith('--no-')
      ? ` --${name} takes a value, so it has no --no-${name}.`
      : /^output(?:[-_](?:dir|folder))?$/.test(name) && fields.has('run-dir')
        ? ' Everything is written to the folder that --run-dir names.'
        : near !== undefined
          ? ` Did you mean --${near}?`
          : others.length > 0
            ? ` It is one of ${others.map((other) => `pairmill ${other.name}`).join(', ')}.`
            : '';
  return new UsageError(`pairmill ${command.name}: unknown option ${unknown}.${next} ${help}`);
}

/** A word that belongs to no flag. Where it follows a path, the shell has most likely spread a pattern into several words. */
function unexpectedArgument(command: Command, args: readonly string[], positionals: readonly string[], fields: ReadonlyMap<string, OptionField>): UsageError {
  const before = args[args.indexOf(positionals[0]!) - 1] ?? '';
  const flag = /^--([^=]+)=/.exec(before)?.[1];
  const field = flag === undefined ? undefined : fields.get(flag);
  const first = JSON.stringify(positionals[0]);
  if (field?.path !== undefined)
    return new UsageError(
      `pairmill ${command.name}: --${flag} takes one value, and ${positionals.length === 1 ? `${first} follows` : `${positionals.length} further words follow, the first ${first}`}. ` +
        `If you wrote a pattern, the shell has spread it: put it in quotes, as in --${flag} "folder/*.gz".`,
    );
  const input = fields.get('input');
  const meant = input ? ` Name files with --input.` : '';
  return new UsageError(`pairmill ${command.name}: unexpected argument ${first}.${meant} pairmill ${command.name} --help lists its options.`);
}
