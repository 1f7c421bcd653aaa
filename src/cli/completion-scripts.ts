import { pipeline } from '../pipeline.ts';
import { type OptionField, optionFields } from '../runtime/option-fields.ts';
import type { Command } from './command.ts';
import { retryWords } from './retry-reasons.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** The script with which a shell completes commands, options and their values. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const shown = commands.filter(({ hidden }) => !hidden);
  const heads = [...new Set(shown.map(({ name }) => firstWord(name)))].map((name): Head => {
    const { summary, choices = [] } = commands.find((command) => command.name === name)!;
    return { name, summary, choices: [...choices, ...shown.filter((command) => isLonger(command) && firstWord(command.name) === name).map(secondWord)] };
  });
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](shown, heads);
}

/** The first word of commands, and the words of which one may follow: `train` behind `tag`. */
interface Head {
  name: string;
  summary: string;
  choices: readonly string[];
}

const firstWord = (name: string): string => name.split(' ')[0]!;
const secondWord = ({ name }: Command): string => name.split(' ')[1]!;
const isLonger = ({ name }: Command): boolean => name.includes(' ');

/** Words that may follow an option; undefined where any text, or a path, may. */
function valuesOf(field: OptionField): readonly string[] | undefined {
  if (field.flag === 'redo') return [...pipeline.map(({ name }) => name), 'all'];
  if (field.flag === 'retry-failed') return retryWords;
  return field.choices;
}

/** One line of `case` for each first word behind which one of a few words stands. */
function choiceCases(heads: readonly Head[], line: (pattern: string, values: readonly string[]) => string): string[] {
  return heads.filter(({ choices }) => choices.length > 0).map(({ name, choices }) => line(`'${name} ${name}'`, choices));
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

function bashScript(commands: readonly Command[], heads: readonly Head[]): string {
  return `# Completion of pairmill for bash: eval "$(pairmill completion bash)"
_pairmill() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${heads.map(({ name }) => name).join(' ')} --help --version'
  else
    if [ "$COMP_CWORD" -gt 2 ]; then
      case "$command \${COMP_WORDS[2]}" in
        ${longerPattern(commands)}) command="$command \${COMP_WORDS[2]}" ;;
      esac
    fi
    if [ "\${current:0:1}" = - ]; then
      case "$command" in
${commands.map((command) => `        '${command.name}') words='${flagsOf(command).join(' ')}' ;;`).join('\n')}
      esac
    else
      case "$command $previous" in
${choiceCases(heads, (pattern, values) => `        ${pattern}) words='${values.join(' ')}' ;;`).join('\n')}
${valueCases(commands, (pattern, values) => `        ${pattern}) words='${values.join(' ')}' ;;`).join('\n')}
      esac
    fi
  fi
  [ -n "$words" ] && COMPREPLY=($(compgen -W "$words" -- "$current"))
  return 0
}
complete -o default -F _pairmill pairmill
`;
}

/** Commands of two words, as a pattern of `case`. */
function longerPattern(commands: readonly Command[]): string {
  return commands
    .filter(isLonger)
    .map(({ name }) => `'${name}'`)
    .join('|');
}

function zshScript(commands: readonly Command[], heads: readonly Head[]): string {
  return `#compdef pairmill
# Completion of pairmill for zsh: eval "$(pairmill completion zsh)" after compinit
_pairmill() {
  local previous=\${words[CURRENT-1]} command=\${words[2]}
  if (( CURRENT == 2 )); then
    local -a commands=(
${heads.map(({ name, summary }) => `      ${singleQuoted(`${name}:${summary}`)}`).join('\n')}
    )
    _describe command commands
    return
  fi
  if (( CURRENT > 3 )); then
    case "$command \${words[3]}" in
      ${longerPattern(commands)}) command="$command \${words[3]}" ;;
    esac
  fi
  if [[ \${words[CURRENT]} != -* ]]; then
    case "$command $previous" in
${choiceCases(heads, (pattern, values) => `      ${pattern}) compadd -- ${values.join(' ')}; return ;;`).join('\n')}
${valueCases(commands, (pattern, values) => `      ${pattern}) compadd -- ${values.join(' ')}; return ;;`).join('\n')}
    esac
    _files
    return
  fi
  case $command in
${commands.map((command) => `    '${command.name}') compadd -- ${flagsOf(command).join(' ')} ;;`).join('\n')}
  esac
}
compdef _pairmill pairmill
`;
}

function fishScript(commands: readonly Command[], heads: readonly Head[]): string {
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
    test (count $words) -ge 2; or return 1
    set -l command $words[2]
    if test (count $words) -ge 3; and contains -- "$words[2] $words[3]" ${commands
      .filter(isLonger)
      .map(({ name }) => `'${name}'`)
      .join(' ')}
        set command "$words[2] $words[3]"
    end
    test "$command" = "$argv"
end
${heads.map(({ name, summary }) => `complete -c pairmill -n __fish_use_subcommand -f -a ${name} -d ${singleQuoted(summary)}`).join('\n')}
${heads
  .filter(({ choices }) => choices.length > 0)
  .map(({ name, choices }) => `complete -c pairmill -n '__pairmill_command ${name}' -f -a '${choices.join(' ')}'`)
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
