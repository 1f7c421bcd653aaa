import { basename } from 'node:path';
import { ShardError } from '../../contracts/errors.ts';
import { type PictureFolder, stemOf } from '../../sources/picture-folder.ts';
import { decodeText } from '../../formats/decode-text.ts';
import type { ListedCaptions } from './listed-captions.ts';
import { captionOf, knownOfJson, type OwnPicture, urlOf } from './own-picture.ts';

/** The pictures of a folder at the given paths, with what `.txt`, `.json` and the list of captions say of them. */
export async function picturesOfFolder(
  folder: PictureFolder,
  paths: readonly string[],
  captions: ListedCaptions | undefined,
  captionCol?: string,
): Promise<OwnPicture[]> {
  const pictures: OwnPicture[] = [];
  for (const path of paths) {
    const stem = stemOf(path);
    const [txt, json] = await Promise.all([folder.read(`${stem}.txt`), folder.read(`${stem}.json`)]);
    const beside = json && knownOfJson(json);
    const known = { ...captions?.rowOf(path), ...beside };
    pictures.push({
      // What download has written as files keeps its URL, and with it its identity.
      url: (beside?.['key'] === basename(stem) ? urlOf(beside) : undefined) ?? path,
      caption: captionOf({ known, txt: txt && decodeText(txt), fileName: path }, captionCol),
      known,
      ...(json && !beside && { broken: `${stem}.json` }),
      read: () => pictureAt(folder, path),
    });
  }
  return pictures;
}

async function pictureAt(folder: PictureFolder, path: string): Promise<Buffer> {
  const bytes = await folder.read(path);
  if (!bytes) throw new ShardError(`${path} in ${folder.location} went while it was packed. Start the same command again.`);
  return bytes;
}
