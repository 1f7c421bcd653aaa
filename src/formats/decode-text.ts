type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** That of the byte order mark; undefined where there is none. */
export function markedEncoding(bytes: Uint8Array): Encoding | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}

/** The encoding of a text: that of its byte order mark, else utf-8 where it is, else windows-1252. `cut`: the bytes may end within a character. */
export function encodingOf(bytes: Uint8Array, { cut = false } = {}): Encoding {
  const marked = markedEncoding(bytes);
  if (marked) return marked;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut });
    return 'utf-8';
  } catch {
    return 'windows-1252';
  }
}

/** A text without its byte order mark. Never throws: each byte is a character of windows-1252. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}
