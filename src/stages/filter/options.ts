import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { modelOptions } from '../../models/model-settings.ts';

const threshold = (set: string) =>
  option(
    z.number().min(-1).max(1).optional(),
    `Smallest cosine of image and text with which a sample of the set ${set} is kept; the model's own where none is given`,
    { aliases: set === 'en' ? ['threshold'] : [] },
  );

export const filterOptions = z.object({
  model: option(z.string().default('clip-vit-b-32'), 'Model for English: an id or a folder (docs/models.md)', { value: 'MODEL', aliases: ['clip-model'] }),
  multilingualModel: option(z.string().optional(), "Model for other languages and for none; mclip-vit-b-32 where --model is clip-vit-b-32, else --model's", {
    value: 'MODEL',
    aliases: ['mclip-model'],
  }),
  thresholdEn: threshold('en'),
  thresholdMulti: threshold('multi'),
  thresholdNolang: threshold('nolang'),
  batchSize: option(z.int().min(1).default(256), 'Samples in memory at a time in each worker', { decidesResult: false }),
  ...modelOptions,
});
export type FilterOptions = z.output<typeof filterOptions>;
