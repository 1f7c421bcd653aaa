import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
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
    expect(offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(offered('completion', '--h')).toEqual(['--help']);
  });

  test('completes commands of two words, and the options of such a command', () => {
    expect(offered('mod')).toEqual(['models']);
    expect(offered('models', '')).toEqual(['list', 'pull', 'verify']);
    expect(offered('tag', 't')).toEqual(['train']);
    expect(offered('tag', '--lab')).toEqual([]);
    expect(offered('tag', 'train', '--lab')).toEqual(['--labels']);
    expect(offered('models', 'list', '--hub')).toEqual([]);
    expect(offered('models', 'pull', '--model-precision', '')).toEqual(['float32', 'int8']);
  });
});

/** What a shell offers at the end of a line, sorted. */
const offers = {
  zsh: (script: string, line: string) => execFileSync('zsh', ['-f', join(import.meta.dirname, 'zsh-offers.zsh'), script, line], { encoding: 'utf8' }),
  // Words and what they mean, with a tab between them.
  fish: (script: string, line: string) =>
    execFileSync('fish', ['--no-config', '-c', `source ${script}; complete -C '${line}'`], { encoding: 'utf8' }).replaceAll(/\t.*/g, ''),
};

describe.for(['zsh', 'fish'] as const)('%s', (shell) => {
  const lines = [
    ['pairmill ext', ['extract']],
    ['pairmill filter --thr', ['--threshold', '--threshold-en', '--threshold-language', '--threshold-multi', '--threshold-nolang']],
    ['pairmill extract --db', []],
    ['pairmill download --no-rob', ['--no-robots-txt']],
    ['pairmill run x --redo em', ['embed']],
    ['pairmill run x --until filter --thr', ['--threshold', '--threshold-en', '--threshold-language', '--threshold-multi', '--threshold-nolang']],
    ['pairmill completion ', ['bash', 'fish', 'zsh']],
    ['pairmill models ', ['list', 'pull', 'verify']],
    ['pairmill tag train --lab', ['--labels']],
  ] as const;
  test.for(lines)('completes %j', ([line, wanted], context) => {
    if (!isInstalled(shell)) context.skip(`${shell} is not installed (apt-get install ${shell})`);
    const path = join(base, `pairmill.${shell}`);
    writeFileSync(path, completionScript(shell, commands));
    expect(offers[shell](path, line).split('\n').filter(Boolean).sort()).toEqual(wanted);
  });
});

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ['--version'], { stdio: 'ignore' }).status === 0;
}
