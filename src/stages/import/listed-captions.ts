import { stat } from 'node:fs/promises';
import { UsageError } from '../../contracts/errors.ts';
import { openList } from '../../sources/open-list.ts';
import { type PictureFolder, stemOf } from '../../sources/picture-folder.ts';
import { joinLocation } from '../../storage/location.ts';
import type { S3Objects } from '../../storage/s3-objects.ts';

/** Names of the column with the file names, the likeliest first; case does not count. */
const fileColumns = ['file_name', 'filename', 'file', 'image_path', 'filepath', 'path', 'image', 'img', 'name', 'key'];
/** Lists that are found in a folder of pictures: of Hugging Face's image folders, and what people call them. */
const USUAL_LIST = /^(?:metadata|captions?|labels?|annotations?|results?|index|texts?)\.(?:csv|tsv|jsonl|parquet)(?:\.(?:gz|zst))?$/i;

/** The list of texts of a folder: as given, or found in it; undefined where there is none. With what tells whether it has changed. */
export async function findCaptions(folder: PictureFolder, given: string | undefined): Promise<{ path: string; identity: string } | undefined> {
  if (given === undefined) {
    const name = (await folder.names()).sort().find((each) => USUAL_LIST.test(each));
    return name === undefined ? undefined : { path: joinLocation(folder.location, name), identity: `captions of ${await folder.identityOf(name)}` };
  }
  const info = await stat(given).catch(() => undefined);
  if (!info?.isFile()) throw new UsageError(`--captions ${given} is no file. Name a csv, tsv, jsonl or Parquet file with a column of file names.`);
  return { path: given, identity: `captions of ${info.size} bytes, changed ${info.mtimeMs}` };
}

/** Rows of a list by the pictures that they name, of those of one shard. */
export class ListedCaptions {
  readonly #rows: ReadonlyMap<string, Record<string, unknown>>;

  private constructor(rows: ReadonlyMap<string, Record<string, unknown>>) {
    this.#rows = rows;
  }

  /** Reads the rows that name one of `paths`: by its path, by its last part, each with or without the ending. Throws UsageError where no column does. */
  static async read(
    path: string,
    paths: readonly string[],
    fileCol: string | undefined,
    { scratch, signal, s3 }: { scratch: string; signal: AbortSignal; s3: S3Objects },
  ): Promise<ListedCaptions> {
    const wanted = new Map<string, string>();
    // The whole path last, so that it wins over the last part of another.
    for (const namesOf of [(each: string) => [stemOf(lastPart(each)), lastPart(each)], (each: string) => [stemOf(each), each]])
      for (const each of paths) for (const name of namesOf(each)) wanted.set(name, each);
    const list = await openList(path, path, { scratch, memoryMb: 512, signal, s3 });
    try {
      const names = list.columns.map(({ name }) => name);
      const column = fileColumnOf(names, fileCol);
      if (column === undefined) {
        if (fileCol === undefined && names.length === 0) return new ListedCaptions(new Map());
        throw new UsageError(`${path} has no column of file names. Its columns are ${names.join(', ')}. Name it with --file-col.`);
      }
      const rows = new Map<string, Record<string, unknown>>();
      for await (const { [column]: file, ...row } of list.rows(names)) {
        const picture = typeof file === 'string' ? wanted.get(file.replace(/^\.?\//, '').replaceAll('\\', '/')) : undefined;
        if (picture !== undefined) rows.set(picture, row);
      }
      return new ListedCaptions(rows);
    } finally {
      await list.close();
    }
  }

  rowOf(path: string): Readonly<Record<string, unknown>> | undefined {
    return this.#rows.get(path);
  }
}

function fileColumnOf(names: readonly string[], given: string | undefined): string | undefined {
  for (const wanted of given === undefined ? fileColumns : [given]) {
    const found = names.find((name) => name.trim().toLowerCase() === wanted.toLowerCase());
    if (found !== undefined) return found;
  }
  return undefined;
}

const lastPart = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
