import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../contracts/errors.ts';
import type { Shard } from '../../contracts/stage.ts';
import { countParquetRows } from '../../formats/parquet.ts';
import { indexTar } from '../../formats/webdataset.ts';
import { publishedInputs } from '../../runtime/shard-inputs.ts';
import type { EmbedOptions } from './options.ts';

/** The parts of `embeddings/`: each a run of consecutive pairs shards. Names have five digits or more. */
export async function planParts(folder: string, { shardsPerPart, writeBatchSize }: Pick<EmbedOptions, 'shardsPerPart' | 'writeBatchSize'>): Promise<Shard[]> {
  const shards = await publishedInputs(folder, '.tar');
  const parts: (typeof shards)[] = [];
  let samples = 0;
  for (const shard of shards) {
    const last = parts.at(-1);
    const full = shardsPerPart === undefined ? samples >= writeBatchSize : (last?.length ?? 0) >= shardsPerPart;
    if (last && !full) last.push(shard);
    else {
      parts.push([shard]);
      samples = 0;
    }
    if (shardsPerPart === undefined) samples += await samplesOf(folder, shard.name);
  }
  return parts.map((inputs, i) => ({
    name: String(i).padStart(5, '0'),
    inputs: inputs.map(({ name, identity }) => ({ path: join(folder, `${name}.tar`), identity })),
  }));
}

/** By our marker's `out` or img2dataset's `successes`; without a marker by the rows, else by the tar. */
async function samplesOf(folder: string, shard: string): Promise<number> {
  const marker = await readMarker(join(folder, `${shard}_stats.json`));
  const counted = marker['out'] ?? marker['successes'];
  if (typeof counted === 'number') return counted;
  try {
    return await countParquetRows(join(folder, `${shard}.parquet`));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  const names = [...(await indexTar(join(folder, `${shard}.tar`))).keys()];
  return new Set(names.map((name) => name.slice(0, name.indexOf('.', name.lastIndexOf('/') + 1)))).size;
}

async function readMarker(path: string): Promise<Record<string, unknown>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return {};
    throw error;
  }
}
