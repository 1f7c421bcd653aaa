import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemCode } from '../../contracts/errors.ts';
import type { ListedCaptions } from './listed-captions.ts';
import { captionOf, knownOfJson, type OwnPicture, urlOf } from './own-picture.ts';

/** The pictures of a folder at the given paths, with what `.txt`, `.json` and the list of captions say of them. */
export async function picturesOfFolder(
  folder: string,
  paths: readonly string[],
  captions: ListedCaptions | undefined,
  captionCol?: string,
): Promise<OwnPicture[]> {
  const pictures: OwnPicture[] = [];
  for (const path of paths) {
    const stem = join(folder, path.replace(/\.[^./]*$/, ''));
    const [txt, json] = await Promise.all([readIfThere(`${stem}.txt`), readIfThere(`${stem}.json`)]);
    const beside = json && knownOfJson(json);
    const known = { ...captions?.rowOf(path), ...beside };
    pictures.push({
      // What download has written as files keeps its URL, and with it its identity.
      url: (beside?.['key'] === basename(stem) ? urlOf(beside) : undefined) ?? path,
      caption: captionOf({ known, txt: txt?.toString('utf8'), fileName: path }, captionCol),
      known,
      ...(json && !beside && { broken: `${path.replace(/\.[^./]*$/, '')}.json` }),
      read: () => readFile(join(folder, path)),
    });
  }
  return pictures;
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
