import { IndexDescription } from '../../contracts/index-description.ts';
import type { Storage } from '../../contracts/storage.ts';

const BUILD = /^(\d+)-(\d+)$/;

/**
 * The folder for the next build of an index shard: `00000-N`, one number above that to which index.json points. So no reader of the
 * current build is disturbed, and what a killed build left is written over by the next.
 */
export async function nextBuild(storage: Storage, shard: string): Promise<string> {
  const [, , number = 0] = BUILD.exec(await currentFolder(storage)) ?? [];
  return `${shard}-${Number(number) + 1}`;
}

/** Removes the builds that index.json does not name: what is left of earlier ones, and those of killed runs. */
export async function removeOtherBuilds(storage: Storage): Promise<void> {
  const current = await currentFolder(storage);
  if (current === '') return;
  for (const { name, folder } of await storage.list('')) if (folder && BUILD.test(name) && name !== current) await storage.remove(name);
}

/** Empty where there is no index. */
async function currentFolder(storage: Storage): Promise<string> {
  const text = await storage.readText('index.json');
  if (text === undefined) return '';
  try {
    return IndexDescription.parse(JSON.parse(text)).folder;
  } catch {
    return '';
  }
}
