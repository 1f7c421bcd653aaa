import { z } from 'zod';
import { option } from '../contracts/option.ts';
import { modelOptions } from '../models/model-settings.ts';
import { downloadOptions } from '../stages/download/options.ts';

export const serveOptions = z.object({
  input: option(z.string().default('pairmill-run'), 'Run, or index, to answer from: a folder or an s3:// prefix', {
    value: 'DIR',
    path: 'one',
    often: true,
    aliases: ['run-dir'],
    decidesResult: false,
  }),
  pairs: option(
    z.string().optional(),
    'Where the pictures lie: a folder or an s3:// prefix of tars, or a folder of the files that image_path names; pairs/ beside the index where none is given',
    {
      value: 'DIR',
      path: 'one',
      often: true,
      decidesResult: false,
    },
  ),
  port: option(z.int().min(0).max(65_535).default(1234), 'Port to listen on; 0 for any that is free', { often: true, decidesResult: false }),
  host: option(z.string().default('127.0.0.1'), 'Address to listen on. Others than loopback let other machines in: there are no passwords', {
    value: 'ADDRESS',
    often: true,
    decidesResult: false,
  }),
  allowHost: option(z.array(z.string()).default([]), 'Further host names by which the server may be called, such as that of a proxy before it', {
    value: 'NAME',
    decidesResult: false,
  }),
  cors: option(
    z.array(z.string()).default([]),
    'Origins whose pages may read the answers, such as http://localhost:8080; * for any. Only its own page where none is given',
    {
      value: 'ORIGIN',
      decidesResult: false,
    },
  ),
  fetchImageUrl: option(z.boolean().default(false), 'Fetch pictures that a request names by image_url: from public addresses only, as robots.txt allows', {
    decidesResult: false,
  }),
  maxPixels: option(downloadOptions.shape.maxPixels, 'Pixels that a picture to search by may have; larger ones are refused before they are decoded', {
    unit: 'pixels',
    decidesResult: false,
  }),
  model: option(z.string().optional(), 'Model of the vectors, if the index does not name it, or if its folder has moved', {
    value: 'MODEL',
    path: 'name',
    often: true,
    decidesResult: false,
  }),
  dev: option(z.boolean().default(false), 'Serve the page from its sources through Vite, with reloading; for work on the page in a clone', {
    decidesResult: false,
  }),
  ...modelOptions,
});
export type ServeOptions = z.output<typeof serveOptions>;
