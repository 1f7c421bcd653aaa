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
});
