import { pipeline } from '../pipeline.ts';
import { type OptionField, optionFields } from '../runtime/option-fields.ts';
import type { Command } from './command.ts';
import { retryWords } from './retry-reasons.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** The script with which a shell completes commands, options and their values. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  // Of `tag train` the options of `tag` are completed: shells tell words apart, not commands.
  const shown = commands.filter(({ hidden, name }) => !hidden && !name.includes(' '));
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](shown);
}

/** Words that may follow an option; undefined where any text, or a path, may. */
function valuesOf(field: OptionField): readonly string[] | undefined {
  if (field.flag === 'redo') return [...pipeline.map(({ name }) => name), 'all'];
  if (field.flag === 'retry-failed') return retryWords;
  return field.choices;
}

/** Commands behind which one of a few words stands. */
function choosing(commands: readonly Command[]): { name: string; choices: string }[] {
  return commands.flatMap(({ name, choices }) => (choices ? [{ name, choices: choices.join(' ') }] : []));
}

/** Every spelling of an option: those of the peers are completed too where they are typed that far. */
function flagsOf(command: Command): string[] {
  return [
    ...optionFields(command.options).flatMap(({ flag, kind, default: fallback }) => [
      `--${flag}`,
      ...(kind === 'boolean' && fallback === true ? [`--no-${flag}`] : []),
    ]),
    '--help',
  ];
}

/** One line of `case` for each option with known values, by command and option. */
function valueCases(commands: readonly Command[], line: (pattern: string, values: readonly string[]) => string): string[] {
  return commands.flatMap((command) =>
    optionFields(command.options).flatMap((field) => {
      const values = valuesOf(field);
      return values === undefined ? [] : [line(`'${command.name} --${field.flag}'`, values)];
    }),
  );
}

function bashScript(commands: readonly Command[]): string {
  return `# Completion of pairmill for bash: eval "$(pairmill completion bash)"
_pairmill() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${commands.map(({ name }) => name).join(' ')} --help --version'
  else
    case "\${COMP_WORDS[1]} $previous" in
${choosing(commands)
  .map(({ name, choices }) => `      '${name} ${name}') words='${choices}' ;;`)
  .join('\n')}
${valueCases(commands, (pattern, values) => `      ${pattern}) words='${values.join(' ')}' ;;`).join('\n')}
    esac
    if [ -z "$words" ] && [ "\${current:0:1}" = - ]; then
      case "\${COMP_WORDS[1]}" in
${commands.map((command) => `        ${command.name}) words='${flagsOf(command).join(' ')}' ;;`).join('\n')}
      esac
    fi
  fi
  [ -n "$words" ] && COMPREPLY=($(compgen -W "$words" -- "$current"))
  return 0
}
complete -o default -F _pairmill pairmill
`;
}

function zshScript(commands: readonly Command[]): string {
  return `#compdef pairmill
# Completion of pairmill for zsh: eval "$(pairmill completion zsh)" after compinit
_pairmill() {
  local previous=\${words[CURRENT-1]}
  if (( CURRENT == 2 )); then
    local -a commands=(
${commands.map(({ name, summary }) => `      ${singleQuoted(`${name}:${summary}`)}`).join('\n')}
    )
    _describe command commands
    return
  fi
  case "\${words[2]} $previous" in
${choosing(commands)
  .map(({ name, choices }) => `    '${name} ${name}') compadd -- ${choices}; return ;;`)
  .join('\n')}
${valueCases(commands, (pattern, values) => `    ${pattern}) compadd -- ${values.join(' ')}; return ;;`).join('\n')}
  esac
  if [[ \${words[CURRENT]} != -* ]]; then
    _files
    return
  fi
  case \${words[2]} in
${commands.map((command) => `    ${command.name}) compadd -- ${flagsOf(command).join(' ')} ;;`).join('\n')}
  esac
}
compdef _pairmill pairmill
`;
}

function fishScript(commands: readonly Command[]): string {
  const options = commands.flatMap((command) =>
    optionFields(command.options).flatMap((field) => {
      const condition = `complete -c pairmill -n '__pairmill_command ${command.name}'`;
      const clause = firstClause(field.description);
      const about = `-d ${singleQuoted(clause)}`;
      const values = valuesOf(field);
      if (field.kind !== 'boolean') return [`${condition} -l ${field.flag} ${values ? `-x -a '${values.join(' ')}'` : '-r'} ${about}`];
      return [
        `${condition} -l ${field.flag} ${about}`,
        ...(field.default === true ? [`${condition} -l no-${field.flag} -d ${singleQuoted(`Off: ${clause}`)}`] : []),
      ];
    }),
  );
  return `# Completion of pairmill for fish: pairmill completion fish | source
function __pairmill_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = $argv[1]
end
${commands.map(({ name, summary }) => `complete -c pairmill -n __fish_use_subcommand -f -a ${name} -d ${singleQuoted(summary)}`).join('\n')}
${choosing(commands)
  .map(({ name, choices }) => `complete -c pairmill -n '__pairmill_command ${name}' -f -a '${choices}'`)
  .join('\n')}
${options.join('\n')}
`;
}

function firstClause(description: string): string {
  return description.split(/[;:.](?:\s|$)/)[0]!;
}

/** As bash, zsh and fish all read it. */
function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`;
}
