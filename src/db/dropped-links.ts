import { decoded, type LinkFile, LinkFileReader, MAX_URL_LENGTH } from './link-file.ts';

/** A link that was not copied, as it is recorded. */
export interface DroppedLink {
  readonly reason: 'duplicate' | 'url-too-long';
  readonly item: { hash: bigint | null; url: string; text: string; value: string | null; threshold: string | null };
}

/** The links at the positions that `copyLinks` dropped, over all files, ascending. Reads the files only where there are any. */
export async function* droppedLinks(files: readonly LinkFile[], positions: readonly number[]): AsyncGenerator<DroppedLink> {
  if (positions.length === 0) return;
  const wanted = new Set(positions);
  let base = 0;
  for (const file of files) {
    for await (const { rows, hash, url, text } of (await LinkFileReader.open(file)).groups(false)) {
      for (let i = 0; i < rows; i++) if (wanted.has(base + i)) yield droppedLink(file, hash[i]!, decoded(url[i]), decoded(text?.[i]));
      base += rows;
    }
  }
}

function droppedLink({ trusted }: LinkFile, hash: bigint, url: string, text: string): DroppedLink {
  if (trusted || url.length <= MAX_URL_LENGTH) return { reason: 'duplicate', item: { hash, url, text, value: null, threshold: null } };
  return {
    reason: 'url-too-long',
    item: { hash: null, url: url.slice(0, MAX_URL_LENGTH), text, value: String(url.length), threshold: String(MAX_URL_LENGTH) },
  };
}
