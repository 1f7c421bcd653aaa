import { type DualEncoder, loadModel } from './load-model.ts';
import type { ModelSettings } from './model-settings.ts';
import type { OnnxSession } from './onnx-session.ts';

/**
 * The models of this thread: each is loaded once and kept for all shards of all stages, until the thread ends.
 * (Loading takes longer than a small shard.) Models with the same image tower share its session.
 */
const models = new Map<string, Promise<DualEncoder>>();
const sessions = new Map<string, Promise<OnnxSession>>();

export function sharedModel(idOrFolder: string, settings: ModelSettings): Promise<DualEncoder> {
  return once(models, JSON.stringify([idOrFolder, settings.cacheFolder, settings.threads]), () => loadModel(idOrFolder, settings, sharedSession));
}

function sharedSession(path: string, threads: number): Promise<OnnxSession> {
  return once(sessions, JSON.stringify([path, threads]), async () => (await import('./onnx-session.ts')).openOnnxSession(path, threads));
}

/** Frees all of them. Stages call it in `close`, each at the end of the thread. */
export async function closeSharedModels(): Promise<void> {
  const loaded = await Promise.allSettled(models.values());
  models.clear();
  sessions.clear();
  await Promise.all(loaded.map(async (model) => (model.status === 'fulfilled' ? model.value.close() : undefined)));
}

function once<T>(cache: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let made = cache.get(key);
  if (!made) {
    made = make();
    cache.set(key, made);
    // One that failed is tried again by the next shard.
    made.catch(() => cache.delete(key));
  }
  return made;
}
