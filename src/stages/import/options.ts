import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { languageCode, languageOptions } from '../../language/language-options.ts';

export const importOptions = z.object({
  captions: option(
    z.string().optional(),
    'List (csv, tsv, json, jsonl, Parquet) of the texts of a folder of pictures, with a column of file names; metadata.csv, metadata.jsonl and captions.csv and their like in the folder are found where it is not given',
    { value: 'FILE', path: 'one', often: true },
  ),
  captionCol: option(z.string().optional(), 'Column or json key with the text; text, TEXT, caption, alt and their like are found where it is not given', {
    value: 'COLUMN',
    shared: true,
    often: true,
  }),
  fileCol: option(
    z.string().optional(),
    'Column of --captions with the file names; file_name, filename, file, image, path and their like are found where it is not given',
    {
      value: 'COLUMN',
    },
  ),
  language: languageCode,
  ...languageOptions,
  maxSide: option(z.int().min(0).default(512), 'Pictures whose longer side is longer than this are made smaller; 0 keeps all as they are', {
    unit: 'pixels',
    note: 'the models look at 224 to 384 pixels, and the page shows no larger ones',
  }),
  maxPixels: option(z.int().positive().default(178_956_970), 'Pictures with more pixels are not decoded', { unit: 'pixels', shared: true }),
  numberSamplePerShard: option(z.int().min(1).default(10_000), 'Pictures of a folder in a shard; a tar is one shard'),
});
export type ImportOptions = z.output<typeof importOptions>;
