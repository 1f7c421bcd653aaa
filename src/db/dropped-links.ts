import { decoded, type LinkFile, LinkFileReader } from './link-file.ts';

/** The links at some positions over all files, ascending. Reads the files only where there are any. */
export async function* droppedLinks(files: readonly LinkFile[], positions: readonly number[]): AsyncGenerator<{ hash: bigint; url: string; text: string }> {
  if (positions.length === 0) return;
  const wanted = new Set(positions);
  let base = 0;
  for (const file of files) {
    for await (const { rows, hash, url, text } of (await LinkFileReader.open(file)).groups(false)) {
      for (let i = 0; i < rows; i++) if (wanted.has(base + i)) yield { hash: hash[i]!, url: decoded(url[i]), text: decoded(text?.[i]) };
      base += rows;
    }
  }
}
