import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { batchSize, modelOptions } from '../../models/model-settings.ts';

export const tagOptions = z.object({
  model: option(z.string().default('clip-vit-l-14'), 'Model that made the embeddings: an id, a folder, or hf://OWNER/NAME (docs/models.md)', {
    value: 'MODEL',
    aliases: ['clip-model'],
    path: 'name',
    shared: true,
    often: true,
  }),
  heads: option(
    z.array(z.string()).optional(),
    "Heads: safetensors files, or names of those in the model's heads/ folder; all of that folder where none is given",
    { value: 'HEAD,…', path: 'name', often: true },
  ),
  imageModels: option(
    z.array(z.string()).optional(),
    'Classifiers that look at the pictures themselves: nsfw_pixels, folders, or hf://OWNER/NAME on the hub (docs/tag.md)',
    { value: 'MODEL,…', path: 'name', often: true },
  ),
  textModels: option(z.array(z.string()).optional(), 'Classifiers that read the captions: folders, or hf://OWNER/NAME on the hub (docs/tag.md)', {
    value: 'MODEL,…',
    path: 'name',
    often: true,
  }),
  captionWordList: option(
    z.string().optional(),
    'YAML or JSON file with lists of words by language: the column caption_word_list is 1 where a caption has one of them (docs/tag.md)',
    // The checksum of the file is in the fingerprint.
    { value: 'FILE', path: 'one', decidesResult: false },
  ),
  pairs: option(z.string().optional(), "Folder of tars in which --image-models finds the pictures, instead of the run's pairs/", {
    value: 'DIR',
    path: 'one',
    decidesResult: false,
  }),
  batchSize,
  ...modelOptions,
});
export type TagOptions = z.output<typeof tagOptions>;
