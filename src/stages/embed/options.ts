import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { batchSize, modelOptions } from '../../models/model-settings.ts';

export const embedOptions = z.object({
  model: option(z.string().default('clip-vit-l-14'), 'Model: an id, a folder, or hf://OWNER/NAME (docs/models.md)', {
    value: 'MODEL',
    aliases: ['clip-model'],
    path: 'name',
    shared: true,
    often: true,
  }),
  precision: option(z.enum(['float16', 'float32']).default('float16'), 'Numbers in the .npy files; --model-precision chooses how the model computes', {
    often: true,
  }),
  writeBatchSize: option(z.int().min(1).default(1_000_000), 'A part takes consecutive pairs shards until it has this many samples', {
    unit: 'samples',
    aliases: ['part-size'],
  }),
  shardsPerPart: option(z.int().min(1).optional(), 'Number of shards of pairs in a part, instead of --write-batch-size'),
  batchSize,
  ...modelOptions,
});
export type EmbedOptions = z.output<typeof embedOptions>;
