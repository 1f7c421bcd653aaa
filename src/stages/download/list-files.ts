import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemCode, UsageError } from '../../contracts/errors.ts';
import { setNames } from '../../contracts/records.ts';
import { countParquetRows } from '../../formats/parquet.ts';

/** A Parquet file of a list of links. */
export interface ListFile {
  /** Relative to the list; the file's own name where the list is one file. */
  name: string;
  rows: number;
  /** What is known of its content without reading it: name, bytes and rows. */
  identity: string;
}

/**
 * The files of a list: one Parquet file, a folder of them, or a folder of links in their sets (`en/00000.parquet` …), in order.
 * Throws UsageError where there is nothing to read.
 */
export async function listFiles(input: string): Promise<ListFile[]> {
  const info = await stat(input).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') throw new UsageError(`The input ${input} does not exist. Name a Parquet file or a folder of them with --input.`);
    throw error;
  });
  const names = info.isDirectory() ? await namesIn(input) : [basename(input)];
  if (names.length === 0) throw new UsageError(`The input folder ${input} holds no .parquet file. Name a Parquet file or a folder of them with --input.`);
  const files: ListFile[] = [];
  for (const name of names) {
    const path = listPath(input, name);
    const rows = await countParquetRows(path);
    files.push({ name, rows, identity: `${name} of ${(await stat(path)).size} bytes and ${rows} rows` });
  }
  return files;
}

/** Where a file of the list lies. */
export function listPath(input: string, name: string): string {
  return basename(input) === name && input.endsWith('.parquet') ? input : join(input, name);
}

async function namesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort();
  const sets = setNames.filter((set) => names.includes(set));
  if (sets.length === 0) return names.filter((name) => name.endsWith('.parquet'));
  const marked = names.flatMap((name) => /^(\d+)_stats\.json$/.exec(name)?.[1] ?? []);
  // Of dedup's own links only what is finished.
  const finished = (name: string): boolean => name.endsWith('.parquet') && (marked.length === 0 || marked.includes(name.slice(0, -'.parquet'.length)));
  const inSets = await Promise.all(
    sets.map(async (set) =>
      (await readdir(join(folder, set)))
        .filter(finished)
        .sort()
        .map((name) => `${set}/${name}`),
    ),
  );
  return inSets.flat();
}
