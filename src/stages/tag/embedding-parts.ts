import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, UsageError } from '../../contracts/errors.ts';
import type { Shard } from '../../contracts/stage.ts';

/** Files of one part of `embeddings/`. */
export function partFiles(folder: string, part: string): { images: string; metadata: string } {
  return { images: join(folder, 'img_emb', `img_emb_${part}.npy`), metadata: join(folder, 'metadata', `metadata_${part}.parquet`) };
}

/** The finished parts, by name; in a folder of clip-retrieval's, which has no markers, all that have metadata. */
export async function planEmbeddingParts(folder: string): Promise<Shard[]> {
  const markers = matches(await list(folder), /^(\d+)_stats\.json$/);
  const names = markers.length > 0 ? markers : matches(await list(join(folder, 'metadata')), /^metadata_(\d+)\.parquet$/);
  if (names.length === 0)
    throw new UsageError(
      `The input folder ${folder} holds no finished part of embeddings (img_emb/, metadata/, NNNNN_stats.json). Run pairmill embed first, or name another with --input.`,
    );
  return Promise.all(names.map(async (name) => ({ name, inputs: [{ path: partFiles(folder, name).images, identity: await identify(folder, name) }] })));
}

/** The model that made a part, where its marker says so. */
export async function modelOfPart(folder: string, part: string): Promise<string | undefined> {
  const made = (await readMarker(folder, part))['made_by'] as { options?: { model?: unknown } } | undefined;
  return typeof made?.options?.model === 'string' ? made.options.model : undefined;
}

async function identify(folder: string, part: string): Promise<string> {
  const { fingerprint } = await readMarker(folder, part);
  return typeof fingerprint === 'string' ? fingerprint : `${(await stat(partFiles(folder, part).images)).size} bytes`;
}

async function readMarker(folder: string, part: string): Promise<Record<string, unknown>> {
  try {
    return JSON.parse(await readFile(join(folder, `${part}_stats.json`), 'utf8')) as Record<string, unknown>;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return {};
    throw error;
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function matches(names: readonly string[], pattern: RegExp): string[] {
  return names.flatMap((name) => pattern.exec(name)?.[1] ?? []).sort();
}
