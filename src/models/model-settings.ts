import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { option } from '../contracts/option.ts';
import { type Device, devices } from './sessions/onnx-session.ts';

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
  modelPrecision: option(
    z.enum(['float32', 'int8']).optional(),
    'Arithmetic of the models: float32, or int8 where the model has such files. float32 where none is given',
    { shared: true },
  ),
  device: option(z.enum(devices).default('cpu'), 'What computes the models', { shared: true, decidesResult: false }),
  modelThreads: option(z.int().min(1).optional(), 'Threads of each session of a model; a short trial, which is kept, chooses them where none is given', {
    shared: true,
    decidesResult: false,
  }),
  modelSessions: option(
    z.int().min(1).optional(),
    'Sessions of a model that compute at a time, each with the model in memory; as many as the cores and memory allow where none is given',
    {
      shared: true,
      decidesResult: false,
    },
  ),
};

/** Option of every stage that has models look at samples. */
export const batchSize = option(z.int().min(1).default(256), 'Samples in memory at a time in each worker', { decidesResult: false, shared: true });

/** Where models come from and how they run. */
export interface ModelSettings {
  cacheFolder: string;
  hubUrl: string;
  /** Of the hub, for models that need one. No option of a stage: it would stand in run.json. */
  hubToken?: string | undefined;
  precision?: Precision | undefined;
  device?: Device | undefined;
  /** Undefined: what calibration finds. */
  threads?: number | undefined;
  sessions?: number | undefined;
}

/** What decides where files come from. */
export type HubSettings = Pick<ModelSettings, 'cacheFolder' | 'hubUrl' | 'hubToken'>;

export type Precision = 'float32' | 'int8';

/** The settings of a command that has `modelOptions`, or those of them that say where models come from. */
export function modelSettings(options: {
  modelCache?: string | undefined;
  hubUrl: string;
  hubToken?: string | undefined;
  modelPrecision?: Precision | undefined;
  device?: Device | undefined;
  modelThreads?: number | undefined;
  modelSessions?: number | undefined;
}): ModelSettings {
  return {
    cacheFolder: options.modelCache ?? join(homedir(), '.cache', 'pairmill', 'models'),
    hubUrl: options.hubUrl,
    hubToken: options.hubToken,
    precision: options.modelPrecision,
    device: options.device,
    threads: options.modelThreads,
    sessions: options.modelSessions,
  };
}

/** Those of a command that has no such options. */
export function usualModelSettings(): ModelSettings {
  return modelSettings({ hubUrl: modelOptions.hubUrl.parse(undefined) });
}
