import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { option } from '../../src/contracts/option.ts';
import { readOptions } from '../../src/runtime/read-options.ts';

const schema = z.object({
  minBytes: option(z.int().min(0).default(5000), 'Smallest body', { unit: 'bytes', aliases: ['min-size'] }),
  mode: option(z.enum(['a', 'b']).default('a'), 'Mode'),
  verify: option(z.boolean().default(false), 'Verify'),
  hosts: option(z.array(z.string()).default([]), 'Hosts'),
  input: option(z.string(), 'What to read'),
});
const input = { input: 'x' };

test('defaults', () => {
  expect(readOptions(schema, { config: input })).toEqual({ minBytes: 5000, mode: 'a', verify: false, hosts: [], input: 'x' });
});

test('flag wins over environment over configuration', () => {
  const config = { 'min-bytes': 1, ...input };
  expect(readOptions(schema, { config }).minBytes).toBe(1);
  expect(readOptions(schema, { config, environment: { PAIRMILL_MIN_BYTES: '2' } }).minBytes).toBe(2);
  expect(readOptions(schema, { config, environment: { PAIRMILL_MIN_BYTES: '2' }, flags: { 'min-bytes': '3' } }).minBytes).toBe(3);
  expect(readOptions(schema, { config: input, flags: { 'min-size': '4' } }).minBytes).toBe(4);
});

test('lists and switches from text', () => {
  expect(readOptions(schema, { flags: { hosts: ['a', 'b'], verify: true }, config: input })).toMatchObject({ hosts: ['a', 'b'], verify: true });
  expect(readOptions(schema, { environment: { PAIRMILL_HOSTS: 'a,b', PAIRMILL_VERIFY: 'true' }, config: input })).toMatchObject({
    hosts: ['a', 'b'],
    verify: true,
  });
});

test.each([
  [{ flags: { 'min-bytes': 'many' } }, '--min-bytes: expected a number (given: "many")'],
  [{ flags: { 'min-bytes': '-1' } }, '--min-bytes: expected a number of at least 0 (given: -1)'],
  [{ flags: { 'min-bytes': '1.5' } }, '--min-bytes: expected a whole number (given: 1.5)'],
  [{ flags: { mode: 'c' } }, '--mode: expected one of a, b (given: "c")'],
  [{ environment: { PAIRMILL_VERIFY: 'perhaps' } }, 'PAIRMILL_VERIFY: expected true or false (given: "perhaps")'],
  [{ config: { inpt: 'x' }, configName: 'run.yaml' }, 'run.yaml: unknown key inpt (did you mean input?)'],
  [{}, '--input is required: What to read'],
])('%j is refused: %s', (sources, message) => {
  expect(() => readOptions(schema, sources)).toThrow(message);
});

describe('paths', () => {
  const paths = z.object({
    folder: option(z.string().optional(), 'A folder', { path: 'one' }),
    files: option(z.string().optional(), 'Files, separated by commas', { path: 'many' }),
    heads: option(z.array(z.string()).optional(), 'Names or files', { path: 'name' }),
  });
  const configFolder = '/data/configurations';

  test('of flags and of the environment are relative to the working folder', () => {
    expect(readOptions(paths, { flags: { folder: 'run' }, environment: { PAIRMILL_FILES: 'a, b/*.gz,https://example.org/c' }, configFolder })).toEqual({
      folder: resolve('run'),
      files: `${resolve('a')},${resolve('b/*.gz')},https://example.org/c`,
    });
  });

  test('of a configuration file are relative to that file', () => {
    expect(readOptions(paths, { config: { folder: '../run', files: 'a,/b', heads: ['./mine', 'nsfw'] }, configFolder })).toEqual({
      folder: '/data/run',
      files: `${configFolder}/a,/b`,
      heads: [`${configFolder}/mine`, 'nsfw'],
    });
  });

  test('begin at home with a tilde, which no shell expands in a file', () => {
    expect(readOptions(paths, { config: { folder: '~/run' }, configFolder })).toEqual({ folder: join(homedir(), 'run') });
  });
});
