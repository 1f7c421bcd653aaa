import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { messageOf, ShardError } from '../../contracts/errors.ts';
import { decodeText } from '../../formats/decode-text.ts';
import { readInto } from '../../formats/read-into.ts';
import { indexTar, type TarMember } from '../../formats/webdataset.ts';
import { PICTURE_FILE } from '../../sources/picture-folder.ts';
import { captionOf, knownOfJson, type OwnPicture, urlOf } from './own-picture.ts';

/** A member of a sample: where it lies, and its whole name. */
interface Member extends TarMember {
  name: string;
}

/**
 * The pictures of a webdataset tar: the members of a sample share a name up to the first dot of its last part, in any order and any
 * place of the tar. Samples come in the order in which the tar names them. They are read before `close`.
 */
export async function picturesOfTar(path: string, item: string, captionCol?: string): Promise<{ pictures: OwnPicture[]; close(): Promise<void> }> {
  const samples = new Map<string, Map<string, Member>>();
  try {
    for (const [name, member] of await indexTar(path)) {
      const [, key, suffix] = /^((?:.*\/|)[^.]+)[.]([^/]*)$/s.exec(name) ?? [];
      // What macOS adds to a tar, and hidden files.
      if (key === undefined || suffix === undefined || /(?:^|\/)(?:\._|__)/.test(name)) continue;
      const members = samples.get(key) ?? new Map<string, Member>();
      if (!members.has(suffix.toLowerCase())) members.set(suffix.toLowerCase(), { ...member, name });
      samples.set(key, members);
    }
  } catch (error) {
    // The message itself names the local copy.
    const why = messageOf((error as Error).cause ?? error);
    throw new ShardError(`${item} is not a whole tar file: ${why}. Get it again.`, { cause: error });
  }
  const file = await open(path);
  const pictures: OwnPicture[] = [];
  try {
    for (const members of samples.values()) {
      const [suffix, picture] = [...members].find(([name]) => PICTURE_FILE.test(`.${name}`)) ?? [];
      if (!suffix || !picture) continue;
      // v1.2.txt belongs to v1.2.jpg, as far as it is there.
      const before = suffix.slice(0, suffix.lastIndexOf('.') + 1);
      const beside = (...endings: string[]): Member | undefined =>
        [...endings.map((ending) => before + ending), ...endings].map((name) => members.get(name)).find((member) => member !== undefined);
      const json = beside('json');
      const known = json && knownOfJson(await readMember(file, json));
      const txt = beside('txt', 'caption', 'text');
      pictures.push({
        url: urlOf(known) ?? `${basename(item)}/${picture.name}`,
        caption: captionOf({ known: known ?? {}, txt: txt && decodeText(await readMember(file, txt)) }, captionCol),
        known: known ?? {},
        ...(json && !known && { broken: json.name }),
        read: () => readMember(file, picture),
      });
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  return { pictures, close: () => file.close() };
}

async function readMember(file: FileHandle, { offset, size }: TarMember): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  if ((await readInto(file, bytes, offset)) < size)
    throw new ShardError('the tar ended within a member: it was cut while it was read. Start the same command again.');
  return bytes;
}
