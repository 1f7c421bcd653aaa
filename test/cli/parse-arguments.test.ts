import { expect, test } from 'vitest';
import { z } from 'zod';
import type { Command } from '../../src/cli/command.ts';
import { renderHelp } from '../../src/cli/help.ts';
import { parseArguments } from '../../src/cli/parse-arguments.ts';
import { option } from '../../src/contracts/option.ts';

const command: Command = {
  name: 'download',
  summary: 'Downloads.',
  options: z.object({
    minBytes: option(z.int().default(5000), 'Smallest body', { unit: 'bytes' }),
    serve: option(z.boolean().default(true), 'Serve'),
    hosts: option(z.array(z.string()).default([]), 'Hosts'),
  }),
  run: () => Promise.resolve(0),
};

test('flags in kebab-case and in img2dataset’s underscores', () => {
  expect(parseArguments(command, ['--min-bytes', '3']).flags).toEqual({ 'min-bytes': '3' });
  expect(parseArguments(command, ['--min_bytes=3', '--no-serve']).flags).toEqual({ 'min-bytes': '3', serve: false });
  expect(parseArguments(command, ['--serve=False']).flags).toEqual({ serve: false });
});

test('lists are repeated or separated by commas', () => {
  expect(parseArguments(command, ['--hosts', 'a,b', '--hosts', 'c']).flags).toEqual({ hosts: ['a', 'b', 'c'] });
});

test('an unknown option names the nearest', () => {
  expect(() => parseArguments(command, ['--min-byte', '3'])).toThrow('unknown option --min-byte. Did you mean --min-bytes?');
  expect(() => parseArguments(command, ['extra'])).toThrow('unexpected argument "extra"');
});

test('help lists every option with unit and default', () => {
  const help = renderHelp(command, 100);
  expect(help).toContain('--min-bytes N\n      Smallest body (in bytes; default 5000)');
  expect(help).toContain('--[no-]serve\n      Serve (on by default)');
});
