import { z } from 'zod';
import { UsageError } from '../contracts/errors.ts';
import type { Stage } from '../contracts/stage.ts';
import { optionFields } from '../runtime/option-fields.ts';
import { type OptionSources, readOptions } from '../runtime/read-options.ts';
import { stageEnvironment } from './stage-environment.ts';

/**
 * The options of several stages as those of one command: under their own names, and each under that of its stage too
 * (`--filter.batch-size`), which only the parser knows: help lists the first.
 */
export function stageFlags(stages: readonly Stage[]): { listed: z.ZodObject; ofStages: z.ZodObject } {
  const listed: Record<string, z.ZodType> = {};
  const ofStages: Record<string, z.ZodType> = {};
  for (const { name, options } of stages)
    for (const [key, type] of Object.entries(options.shape)) {
      listed[key] ??= type as z.ZodType;
      ofStages[`${name}.${key}`] = type as z.ZodType;
    }
  return { listed: z.object(listed), ofStages: z.object(ofStages) };
}

/**
 * The options of each stage of a session. `--filter.model` is for filter alone and wins; `--model` is for every stage that has it where it
 * means the same in all of them (`shared`), or where only one has it. Throws UsageError where it could mean several.
 */
export function readStageOptions(
  stages: readonly Stage[],
  { flags = {}, environment = {} }: Pick<OptionSources, 'flags' | 'environment'>,
  configOf: (stage: Stage) => Pick<OptionSources, 'config' | 'configName' | 'configFolder'> = () => ({}),
): Record<string, Record<string, unknown>> {
  const options: Record<string, Record<string, unknown>> = {};
  for (const stage of stages) {
    const own: Record<string, unknown> = {};
    for (const { key, flag, aliases = [], shared } of optionFields(stage.options)) {
      for (const spelling of [flag, ...aliases]) {
        if (flags[spelling] === undefined) continue;
        const others = stages.filter((other) => key in other.options.shape);
        if (others.length > 1 && !shared && !others.every((other) => flags[`${other.name}.${flag}`] !== undefined))
          throw new UsageError(
            `--${spelling} could mean ${others.map(({ name }) => name).join(', ')}: each has such an option. Give ${others.map(({ name }) => `--${name}.${flag}`).join(' or ')}.`,
          );
        own[flag] = flags[spelling];
      }
      const named = flags[`${stage.name}.${flag}`];
      if (named !== undefined) own[flag] = named;
    }
    options[stage.name] = readOptions(stage.options, { flags: own, environment: stageEnvironment(stage, stages, environment), ...configOf(stage) });
  }
  return options;
}
