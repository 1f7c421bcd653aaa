import { UsageError } from '../contracts/errors.ts';
import type { Stage } from '../contracts/stage.ts';
import { type OptionField, optionFields } from '../runtime/option-fields.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The variable of an option of one stage only: PAIRMILL_FILTER_MODEL. */
export function stageVariable(stage: string, { environment }: Pick<OptionField, 'environment'>): string {
  return environment.replace('PAIRMILL_', `PAIRMILL_${stage.replaceAll('-', '_').toUpperCase()}_`);
}

/**
 * The environment as the options of one stage read it, where `stages` are those of the command. PAIRMILL_FILTER_MODEL is for filter
 * alone and wins. PAIRMILL_MODEL is for every stage that has such an option where it means the same in all of them (`shared`); throws
 * UsageError where it could mean several.
 */
export function stageEnvironment(stage: Stage, stages: readonly Stage[], environment: Environment): Environment {
  const own: Record<string, string | undefined> = { ...environment };
  for (const field of optionFields(stage.options)) {
    const variable = stageVariable(stage.name, field);
    const value = environment[variable];
    if (value !== undefined && value !== '') {
      own[field.environment] = value;
      continue;
    }
    if (field.shared || (environment[field.environment] ?? '') === '') continue;
    const others = stages.filter(({ options }) => field.key in options.shape);
    if (others.length > 1)
      throw new UsageError(
        `The environment variable ${field.environment} could mean ${others.map(({ name }) => name).join(', ')}: each has an option ${field.flag}. ` +
          `Set ${others.map(({ name }) => stageVariable(name, field)).join(' or ')} instead.`,
      );
  }
  return own;
}
