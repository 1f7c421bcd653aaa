import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { completionScript } from '../../src/cli/completion-scripts.ts';

let base: string;
let script: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-completion-'));
  script = join(base, 'pairmill.bash');
  await writeFile(script, completionScript('bash', commands));
});
afterAll(() => rm(base, { recursive: true }));

/** What bash offers for the last of these words. */
function offered(...words: string[]): string[] {
  const program = `source "$1"; shift; COMP_WORDS=(pairmill "$@"); COMP_CWORD=$#; _pairmill; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', program, 'bash', script, ...words], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);
}

describe('bash', () => {
  test('takes the script', () => {
    expect(execFileSync('bash', ['-n', script], { encoding: 'utf8' })).toBe('');
  });

  test('completes a command', () => {
    expect(offered('ext')).toEqual(['extract']);
    expect(offered('')).toEqual(expect.arrayContaining(['run', 'demo', 'serve', 'doctor', 'completion']));
    // For developers.
    expect(offered('doc')).toEqual(['doctor']);
  });

  test('completes an option of that command alone, and both forms of a switch that is on', () => {
    expect(offered('filter', '--thr')).toEqual(['--threshold', '--threshold-en', '--threshold-multi', '--threshold-nolang', '--threshold-language']);
    expect(offered('extract', '--db')).toEqual([]);
    expect(offered('download', '--robots')).toEqual(['--robots-txt']);
    expect(offered('download', '--no-rob')).toEqual(['--no-robots-txt']);
  });

  test('completes the value of an option that has a choice, and leaves paths to the shell', () => {
    expect(offered('extract', '--language-detector', 'f')).toEqual(['fasttext']);
    expect(offered('run', 'x', '--redo', 'em')).toEqual(['embed']);
    expect(offered('filter', '--model', 'm')).toEqual([]);
  });
});

test.for(['zsh', 'fish'] as const)('%s takes the script, where it is installed', async (shell, context) => {
  const text = completionScript(shell, commands);
  expect(text).toContain(shell === 'fish' ? "-n '__fish_seen_subcommand_from filter' -l threshold -r" : 'filter) compadd -- ');
  const path = join(base, `pairmill.${shell}`);
  await writeFile(path, text);
  try {
    execFileSync(shell, ['--version'], { stdio: 'ignore' });
  } catch {
    context.skip(`${shell} is not installed`);
  }
  expect(execFileSync(shell, ['-n', path], { encoding: 'utf8' })).toBe('');
});
