import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { blocklistOptions } from '../../sources/blocklist.ts';
import { batchSize, modelOptions } from '../../models/model-settings.ts';

const cosine = z.number().min(-1).max(1).optional();
const thresholdOf = (set: string) => option(cosine, `Smallest similarity for the samples of the set ${set}; --threshold where none is given`);

/** By what samples are scored. */
export const scoreOptions = z.object({
  model: option(z.string().default('clip-vit-b-32'), 'Model for English: an id, a folder, or hf://OWNER/NAME (docs/models.md)', {
    value: 'MODEL',
    aliases: ['clip-model'],
    path: 'name',
    shared: true,
    often: true,
  }),
  multilingualModel: option(z.string().optional(), "Model for other languages and for none; mclip-vit-b-32 where --model is clip-vit-b-32, else --model's", {
    value: 'MODEL',
    aliases: ['mclip-model'],
    path: 'name',
    shared: true,
    often: true,
  }),
  nsfwCategories: option(
    z.string().optional(),
    'YAML file of the categories by which pictures get the label NSFW and unlawful ones are dropped (docs/filter.md), or none. The file of the package where none is given; with the model mini, none',
    // The checksum of the file is in the fingerprint.
    { value: 'FILE', path: 'name', shared: true, decidesResult: false },
  ),
  batchSize,
  ...modelOptions,
});
export type ScoreOptions = z.output<typeof scoreOptions>;

/** The model for the sets `multi` and `nolang`. */
export function multilingualModel({ model, multilingualModel }: ScoreOptions): string {
  return multilingualModel ?? (model === 'clip-vit-b-32' ? 'mclip-vit-b-32' : model);
}

export const filterOptions = z.object({
  threshold: option(cosine, "Smallest cosine similarity of image and text with which a sample is kept, in all sets; the model's own where none is given", {
    often: true,
  }),
  thresholdEn: thresholdOf('en'),
  thresholdMulti: thresholdOf('multi'),
  thresholdNolang: thresholdOf('nolang'),
  thresholdLanguage: option(z.array(z.string()).optional(), 'Smallest similarity for single languages, by the code in the column language: de=0.25,fr=0.27', {
    value: 'LANGUAGE=COSINE,…',
  }),
  keepTop: option(
    z.number().gt(0).max(1).optional(),
    'Instead of thresholds: keep this share of each set, those with the highest similarity. All samples are scored before the first is kept (stage score)',
    { value: 'SHARE' },
  ),
  ...blocklistOptions,
  ...scoreOptions.shape,
});
export type FilterOptions = z.output<typeof filterOptions>;
