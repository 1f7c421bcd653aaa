import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { languageDetectors } from '../../language/load-language-detector.ts';

export const importOptions = z.object({
  captions: option(
    z.string().optional(),
    'List (csv, tsv, json, jsonl, Parquet) of the texts of a folder of pictures, with a column of file names; metadata.csv, metadata.jsonl and captions.csv and their like in the folder are found where it is not given',
    { value: 'FILE' },
  ),
  captionCol: option(z.string().optional(), 'Column or json key with the text; text, TEXT, caption, alt and their like are found where it is not given', {
    value: 'COLUMN',
  }),
  fileCol: option(
    z.string().optional(),
    'Column of --captions with the file names; file_name, filename, file, image, path and their like are found where it is not given',
    {
      value: 'COLUMN',
    },
  ),
  language: option(
    z
      .string()
      .regex(/^[a-z]{2,3}$/, 'expected a code of ISO 639 such as en')
      .optional(),
    'Language of all texts (ISO 639-1, else 639-3) that come without one; else it is identified',
    { value: 'CODE' },
  ),
  languageDetector: option(z.enum(['fasttext', 'cld3', 'eld', 'none']).default('fasttext'), 'What identifies the language of a text that comes without one'),
  languageThreshold: option(
    z.number().min(0).max(1).optional(),
    `A language found with less confidence counts as none; the detector's own where none is given: ${Object.entries(languageDetectors)
      .map(([name, { threshold }]) => `${name} ${threshold}`)
      .join(', ')}`,
  ),
  maxSide: option(z.int().min(0).default(512), 'Pictures whose longer side is longer are made smaller; 0 keeps all as they are', {
    unit: 'pixels',
    note: 'the models look at 224 to 384 pixels, and the page shows no larger ones',
  }),
  maxPixels: option(z.int().positive().default(178_956_970), 'Pixels that a picture may have: larger ones are not decoded', { unit: 'pixels' }),
  numberSamplePerShard: option(z.int().min(1).default(10_000), 'Pictures of a folder in a shard; a tar is one shard'),
});
export type ImportOptions = z.output<typeof importOptions>;
