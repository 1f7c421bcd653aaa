import { type OptionField, optionFields } from '../runtime/option-fields.ts';
import type { Command } from './command.ts';

/** The text of `pairmill --help`. */
export function renderOverview(commands: readonly Command[], version: string): string {
  const shown = commands.filter(({ hidden }) => !hidden);
  const width = Math.max(...shown.map(({ name }) => name.length));
  return [
    `pairmill ${version}: from a web crawl to a searchable, CLIP-filtered image-text dataset`,
    '',
    'Usage: pairmill COMMAND [options]',
    '',
    ...shown.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'pairmill COMMAND --help lists the options of a command.',
    'Exit codes: 0 done, 1 a shard failed or counts did not reconcile, 2 wrong usage or configuration, or a refusal, 130 and 143 stopped by a signal.',
    '',
  ].join('\n');
}

/** The text of `pairmill COMMAND --help`. */
export function renderHelp(command: Command, columns: number): string {
  const fields = optionFields(command.options);
  const usage = `Usage: pairmill ${command.name}${command.positionals ? ` ${command.positionals}` : ''}${fields.length > 0 ? ' [options]' : ''}`;
  const lines = [usage, '', wrap(command.details ?? command.summary, columns, '')];
  if (fields.length > 0) lines.push('', 'Options (each also as an environment variable, PAIRMILL_ and its name):', '');
  for (const field of fields) {
    lines.push(`  ${flagText(field)}`);
    lines.push(wrap(`${field.description}${details(field)}`, columns, '      '));
  }
  lines.push('');
  return lines.join('\n');
}

/** `--min-bytes N`, with `--[no-]` for switches that are on by default. */
export function flagText(field: OptionField): string {
  if (field.kind === 'boolean') return field.default === true ? `--no-${field.flag}` : `--${field.flag}`;
  const value = field.value ?? (field.choices ? field.choices.join('|') : field.kind === 'number' ? 'N' : field.kind === 'list' ? 'A,B,…' : 'TEXT');
  return field.bare === undefined ? `--${field.flag} ${value}` : `--${field.flag}[=${value}]`;
}

/** The default as it is written in help and docs; empty where there is none. */
export function defaultText(field: OptionField): string {
  if (field.default === undefined || field.default === null || field.kind === 'boolean') return '';
  if (Array.isArray(field.default)) return field.default.join(',');
  return String(field.default);
}

function details(field: OptionField): string {
  const parts = [];
  if (field.unit) parts.push(`in ${field.unit}`);
  if (field.required) parts.push('required');
  const fallback = defaultText(field);
  if (fallback !== '') parts.push(`default ${fallback}`);
  if (field.aliases && field.aliases.length > 0) parts.push(`also --${field.aliases.join(', --')}`);
  return parts.length > 0 ? ` (${parts.join('; ')})` : '';
}

function wrap(text: string, columns: number, indent: string): string {
  const width = Math.max(40, Math.min(columns, 110)) - indent.length;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((each) => indent + each).join('\n');
}
