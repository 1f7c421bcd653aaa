/** Names of the column with the pictures: img2dataset's of its formats, and that of the Hugging Face hub. */
export const pictureColumns: readonly string[] = ['jpg', 'jpeg', 'png', 'webp', 'image'];

/** The column of a Parquet file that holds pictures, by the file's elements; undefined where none does. */
export function pictureColumnOf(elements: readonly { name: string; plain: boolean }[]): string | undefined {
  return pictureColumns.find((name) => elements.some((element) => element.name === name && !element.plain));
}

/** A value of such a column: bytes, or the hub's `{bytes, path}`. */
export function pictureBytes(value: unknown): Uint8Array {
  const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
  // Without bytes it is no picture, which is what the item is dropped as.
  return bytes instanceof Uint8Array ? bytes : new Uint8Array();
}
