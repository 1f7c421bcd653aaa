// Renders and writes every picture and planted file, a few at a time.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { renderPicture } from './render-picture.ts';
import type { WebPlan } from './web-plan.ts';

/** As many as libuv has threads for: each picture is drawn and encoded by one of them. */
const atOnce = 4;

async function inParallel(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) await job();
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

export async function renderAll(folder: string, web: WebPlan, onProgress?: (done: number, total: number) => void): Promise<void> {
  const total = web.pictures.length + web.planted.length;
  let done = 0;
  const job = (file: string, build: () => Promise<Buffer>) => async (): Promise<void> => {
    await writeFile(join(folder, file), await build());
    onProgress?.(++done, total);
  };
  // Small pictures gain nothing from several threads each; the setting is the process's, so it is put back.
  const threads = sharp.concurrency();
  sharp.concurrency(1);
  try {
    await inParallel(web.pictures.map((spec) => job(spec.file, () => renderPicture(spec))));
    const read = (file: string): Promise<Buffer> => readFile(join(folder, file));
    await inParallel(web.planted.map(({ file, build }) => job(file, () => build(read))));
  } finally {
    sharp.concurrency(threads);
  }
}
