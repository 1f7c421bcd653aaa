import { z } from 'zod';
import { option } from '../../contracts/option.ts';

export const tagOptions = z.object({
  model: option(z.string().default('clip-vit-l-14'), 'Model that made the embeddings: an id or a folder (docs/models.md)', {
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
  captionWordList: option(
    z.boolean().default(false),
    "Adds the column caption_word_list: 1 where the caption holds a word of its language's list of obscene words, else 0. A list of words, no model",
  ),
});
