import { pipeline } from '../pipeline.ts';
import { optionFields } from '../runtime/option-fields.ts';
import type { Command } from './command.ts';
import { nearest } from '../runtime/nearest.ts';
import { stageVariable } from './stage-environment.ts';

const PREFIX = 'PAIRMILL_';

/** Variables that are no options: of the kill tests, and of what develops Pairmill. */
const OTHERS: readonly string[] = [
  'PAIRMILL_KILL_AT',
  'PAIRMILL_FAIL_AT',
  'PAIRMILL_PAUSE_AT',
  'PAIRMILL_PYTHON',
  'PAIRMILL_CHROMIUM',
  'PAIRMILL_DEMO_RUN',
  'PAIRMILL_FUZZ_KEEP',
  'PAIRMILL_FUZZ_SECONDS',
  'PAIRMILL_FUZZ_SEED',
  'PAIRMILL_LANGUAGE_TEXTS',
  'PAIRMILL_PEERS',
  'PAIRMILL_REAL_WATS',
  'PAIRMILL_SHARED_DATA',
];

/** A sentence for each PAIRMILL_ variable that no command reads, with the one that was probably meant. */
export function misspeltVariables(environment: Readonly<Record<string, string | undefined>>, commands: readonly Command[]): string[] {
  const given = Object.keys(environment).filter((name) => name.startsWith(PREFIX));
  if (given.length === 0) return [];
  const known = new Set(OTHERS);
  for (const { options } of commands) for (const field of optionFields(options)) known.add(field.environment);
  for (const stage of pipeline) for (const field of optionFields(stage.options)) known.add(field.environment).add(stageVariable(stage.name, field));
  return given
    .filter((name) => !known.has(name))
    .map((name) => {
      const near = nearest(
        name.slice(PREFIX.length),
        [...known].map((each) => each.slice(PREFIX.length)),
      );
      return `The environment variable ${name} belongs to no option and is not read.${near === undefined ? '' : ` Did you mean ${PREFIX}${near}?`}`;
    });
}
