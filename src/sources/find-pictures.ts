import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Names of the pictures that are read out of a folder. */
export const PICTURE_FILE = /\.(?:jpe?g|png|webp|gif|tiff?|avif|bmp)$/i;
/** What may lie beside a picture under its name and say something of it. */
export const BESIDE_FILE = /\.(?:txt|json)$/i;

/** A file below a folder, its path relative to it. */
export interface FoundFile {
  readonly path: string;
  readonly bytes: number;
}

/** The pictures below a folder and the texts beside them, sorted by path. Hidden files, links to folders and `__MACOSX` are passed over. */
export async function findPictures(folder: string): Promise<{ pictures: FoundFile[]; beside: FoundFile[] }> {
  const found = { pictures: [] as FoundFile[], beside: [] as FoundFile[] };
  for await (const path of filesBelow(folder, '')) {
    const list = PICTURE_FILE.test(path) ? found.pictures : BESIDE_FILE.test(path) ? found.beside : undefined;
    if (list) list.push({ path, bytes: (await stat(join(folder, path))).size });
  }
  for (const list of Object.values(found)) list.sort((a, b) => (a.path < b.path ? -1 : 1));
  return found;
}

async function* filesBelow(root: string, folder: string): AsyncGenerator<string> {
  for await (const entry of await opendir(join(root, folder))) {
    if (entry.name.startsWith('.') || entry.name === '__MACOSX') continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(root, path);
    else if (entry.isFile() || (entry.isSymbolicLink() && (await stat(join(root, path)).catch(() => undefined))?.isFile())) yield path;
  }
}
