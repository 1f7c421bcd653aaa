import { expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { renderHelp } from '../../src/cli/help.ts';
import { optionGroups } from '../../src/cli/option-groups.ts';
import { pipeline } from '../../src/pipeline.ts';
import { optionFields } from '../../src/runtime/option-fields.ts';

/** What every declaration of an option has to keep, whatever stage it belongs to. */

const all = commands.flatMap((command) => optionFields(command.options).map((field) => ({ command: command.name, ...field })));

test('an option whose value is a path says so, so that it is relative to where it was written', () => {
  const isPath = /^(?:DIR|FILE|PATH|MODEL|HEAD)\b/;
  expect(all.filter(({ value, path }) => isPath.test(value ?? '') !== (path !== undefined)).map(({ command, flag }) => `${command} --${flag}`)).toEqual([]);
});

test('an option that several stages share is declared so in each of them', () => {
  const byKey = Map.groupBy(
    pipeline.flatMap((stage) => optionFields(stage.options).map((field) => ({ stage: stage.name, ...field }))),
    ({ key }) => key,
  );
  const mixed = [...byKey].filter(([, fields]) => new Set(fields.map(({ shared }) => shared === true)).size > 1 && fields.length > 1);
  expect(mixed.map(([key, fields]) => `${key}: ${fields.map(({ stage, shared }) => `${stage} ${shared ?? false}`).join(', ')}`)).toEqual([]);
});

test('no command lists an option that means nothing there', () => {
  const having = (flag: string): string[] =>
    commands.filter(({ options }) => optionFields(options).some((field) => field.flag === flag)).map(({ name }) => name);
  expect(having('db')).toEqual(['demo', 'run', 'ingest', 'draw', 'task']);
  expect(having('keep')).toEqual(['demo', 'run']);
  expect(having('rejects')).not.toContain('tag');
});

test.each(commands.filter(({ hidden }) => !hidden).map((command) => [command.name, command] as const))(
  'help of %s: ten options first at most, each option once, and none without a word',
  (_name, command) => {
    const groups = optionGroups(command);
    const flags = groups.flatMap(({ fields }) => fields.map(({ flag }) => flag));
    expect([...flags].sort()).toEqual(
      optionFields(command.options)
        .map(({ flag }) => flag)
        .sort(),
    );
    for (const { title, fields } of groups) if (title === 'Used most') expect(fields.length).toBeLessThanOrEqual(10);
    const help = renderHelp(command, 100);
    for (const { flag, description } of groups.flatMap(({ fields }) => fields)) expect(description, flag).not.toBe('');
    expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(130);
  },
);
