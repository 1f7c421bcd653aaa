import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { option } from '../contracts/option.ts';

/** Options of every command that loads a model. None changes a result: checksums of the files are in the fingerprint. */
export const modelOptions = {
  modelCache: option(z.string().optional(), 'Folder that keeps downloaded models; ~/.cache/pairmill/models where none is given', {
    value: 'DIR',
    path: 'one',
    shared: true,
    aliases: ['clip-cache-path'],
    decidesResult: false,
  }),
  hubUrl: option(z.string().default('https://huggingface.co'), 'Hub, or a mirror of it, from which models are downloaded on first use', {
    value: 'URL',
    shared: true,
    decidesResult: false,
  }),
  modelThreads: option(z.int().min(1).default(1), 'Threads of a model in each worker', {
    shared: true,
    decidesResult: false,
    note: 'one: the workers already fill the cores',
  }),
};

/** Where models come from and how they run. */
export interface ModelSettings {
  cacheFolder: string;
  hubUrl: string;
  threads: number;
}

export function modelSettings(options: { modelCache?: string | undefined; hubUrl: string; modelThreads: number }): ModelSettings {
  return { cacheFolder: options.modelCache ?? join(homedir(), '.cache', 'pairmill', 'models'), hubUrl: options.hubUrl, threads: options.modelThreads };
}
