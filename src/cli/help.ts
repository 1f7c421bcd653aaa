import type { OptionField } from '../runtime/option-fields.ts';
import type { Command } from './command.ts';
import { optionGroups } from './option-groups.ts';

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
    'pairmill COMMAND --help lists the options of a command. pairmill doctor says whether this machine is ready.',
    'Exit codes: 0 it is done; 1 something failed, or nothing came out; 2 the command or the configuration is wrong, or was refused;',
    '130 and 143 it was stopped by a signal.',
    '',
  ].join('\n');
}

/** The text of `pairmill COMMAND --help`. */
export function renderHelp(command: Command, columns: number): string {
  const groups = optionGroups(command);
  const usage = `Usage: pairmill ${command.name}${command.positionals ? ` ${command.positionals}` : ''}${groups.length > 0 ? ' [options]' : ''}`;
  const lines = [usage, '', wrap(command.details ?? command.summary, columns, '')];
  for (const { title, fields } of groups) {
    lines.push('', `${title}:`, '');
    for (const field of fields) {
      lines.push(`  ${flagText(field)}`);
      lines.push(wrap(`${sentence(field.description)}${details(field)}`, columns, '      '));
    }
  }
  if (groups.length > 0) lines.push('', 'Each option is also an environment variable: --min-bytes is PAIRMILL_MIN_BYTES.');
  lines.push('');
  return lines.join('\n');
}

/** `--min-bytes N`, and `--[no-]robots-txt` of a switch that is on unless it is switched off. */
export function flagText(field: OptionField): string {
  if (field.kind === 'boolean') return field.default === true ? `--[no-]${field.flag}` : `--${field.flag}`;
  const value = field.value ?? field.choices?.join('|') ?? { number: 'N', list: 'A,B,…', string: 'TEXT' }[field.kind];
  return field.bare === undefined ? `--${field.flag} ${value}` : `--${field.flag}[=${value}]`;
}

/** The default as it is written in help and docs; empty where there is none. */
export function defaultText(field: OptionField): string {
  if (field.default === undefined || field.default === null || field.kind === 'boolean') return '';
  if (Array.isArray(field.default)) return field.default.join(',');
  return String(field.default);
}

/** A description begins with a capital. */
export function sentence(description: string): string {
  return description.charAt(0).toUpperCase() + description.slice(1);
}

function details(field: OptionField): string {
  const parts = [];
  if (field.kind === 'boolean' && field.default === true) parts.push('on by default');
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
