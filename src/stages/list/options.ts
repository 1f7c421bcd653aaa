import { z } from 'zod';
import { option } from '../../contracts/option.ts';
import { signRequest } from '../../sources/sign-request.ts';
import { languageCode, languageOptions } from '../../language/language-options.ts';

export const listOptions = z.object({
  urlCol: option(z.string().optional(), 'Column with the URL; url, URL, image_url and their like are found where it is not given', {
    value: 'COLUMN',
    often: true,
  }),
  captionCol: option(z.string().optional(), 'Column with the text; text, TEXT, caption, alt and their like are found where it is not given', {
    value: 'COLUMN',
    shared: true,
    often: true,
  }),
  saveAdditionalColumns: option(z.array(z.string()).optional(), 'Further columns that come along; without it, all do', {
    value: 'COLUMN,…',
    note: 'img2dataset leaves out what is not named',
  }),
  language: languageCode,
  ...languageOptions,
  trustHash: option(z.boolean().default(false), 'Keep the hash column of the list even where it is not that of URL and text'),
  maxUrlLength: option(z.int().min(1).default(20_000), 'Links with longer URLs are dropped', { unit: 'characters', shared: true }),
  maxTextLength: option(z.int().min(1).default(20_000), 'Longer texts are cut', { unit: 'characters', shared: true }),
  signRequest,
  memory: option(z.int().min(100).default(1024), 'Memory for reading a list', { unit: 'MB', shared: true, decidesResult: false }),
});
export type ListOptions = z.output<typeof listOptions>;
