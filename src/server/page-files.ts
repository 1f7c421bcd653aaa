import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { systemCode } from '../contracts/errors.ts';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
};

export interface PageFile {
  bytes: Uint8Array<ArrayBuffer>;
  type: string;
}

/**
 * The built page, by URL path (`/`, `/assets/…`). It is some 300 KB, and kept in memory: no request reaches the file
 * system, so none can climb out of the folder. Empty where the page was not built.
 */
export async function readPageFiles(folder: string): Promise<ReadonlyMap<string, PageFile>> {
  const files = new Map<string, PageFile>();
  let entries;
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return files;
    throw error;
  }
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const url = path
      .slice(folder.length)
      .replaceAll('\\', '/')
      .replace(/\/index\.html$/, '/');
    files.set(url, { bytes: new Uint8Array(await readFile(path)), type: types[extname(path)] ?? 'application/octet-stream' });
  }
  return files;
}
