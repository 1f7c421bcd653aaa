import { modelOptions } from '../models/model-settings.ts';
import { type OptionField, optionFields } from '../runtime/option-fields.ts';
import { runOptions } from '../runtime/run-options.ts';
import { pipeline } from '../pipeline.ts';
import type { Command } from './command.ts';

/** So many options stand first in the help of a command. */
const MAX_OFTEN = 10;
/** A command with fewer options needs no groups. */
const MIN_GROUPED = 12;

/** Of a command with more options, those of its stages are divided by the stage that they belong to. */
const MAX_TOGETHER = 40;

export interface OptionGroup {
  title: string;
  fields: OptionField[];
}

/** The options of a command as help and docs list them: those that most people give, its own, those of models, those of every run. */
export function optionGroups({ options }: Command): OptionGroup[] {
  const fields = optionFields(options);
  if (fields.length < MIN_GROUPED) return fields.length > 0 ? [{ title: 'Options', fields }] : [];
  const often = fields.filter((field) => field.often);
  const first = new Set(often.slice(0, MAX_OFTEN));
  const isOf = (shape: object, { key }: OptionField): boolean => key in shape;
  const others = fields.filter((field) => !first.has(field));
  const own = others.filter((field) => !isOf(runOptions.shape, field) && !isOf(modelOptions, field));
  return [
    { title: 'Used most', fields: [...first] },
    ...(own.length > MAX_TOGETHER ? byStage(own) : [{ title: 'Further options', fields: own }]),
    { title: 'Models', fields: others.filter((field) => isOf(modelOptions, field)) },
    { title: 'Every run', fields: others.filter((field) => isOf(runOptions.shape, field)) },
  ].filter((group) => group.fields.length > 0);
}

/** Options of a command that runs many stages: an option that several have stands with the first. */
function byStage(fields: readonly OptionField[]): OptionGroup[] {
  const stageOf = ({ key }: OptionField): string => pipeline.find(({ options }) => key in options.shape)?.name ?? '';
  return [...Map.groupBy(fields, stageOf)].map(([stage, group]) => ({ title: stage === '' ? 'Further options' : `Stage ${stage}`, fields: group }));
}
