import { z } from 'zod';
import { UsageError } from '../../contracts/errors.ts';
import type { Command } from '../command.ts';
import { completionScript, type Shell, shells } from '../completion-scripts.ts';

/** Prints what a shell needs to complete the command line. */
export const completionCommand: Command = {
  name: 'completion',
  summary: 'Prints the script with which bash, zsh or fish completes commands and options.',
  details:
    'Prints the script with which a shell completes commands, options and their values. In ~/.bashrc: eval "$(pairmill completion bash)"; in ~/.zshrc, after compinit: eval "$(pairmill completion zsh)"; for fish: pairmill completion fish > ~/.config/fish/completions/pairmill.fish',
  positionals: 'bash|zsh|fish',
  choices: shells,
  options: z.object({}),
  async run({ positionals }, io) {
    const [shell, ...others] = positionals;
    if (others.length > 0 || !shells.some((name) => name === shell))
      throw new UsageError(
        `pairmill completion takes the name of a shell: ${shells.join(', ')}${shell === undefined ? '' : ` (given: ${positionals.join(' ')})`}.`,
      );
    // Loaded here: it lists the commands, of which this is one.
    const { commands } = await import('../commands.ts');
    io.out(completionScript(shell as Shell, commands));
    return 0;
  },
};
