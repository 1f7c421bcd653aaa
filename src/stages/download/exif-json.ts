import { readExif } from './read-exif.ts';

/**
 * EXIF as img2dataset writes it: a JSON object of strings by exifread's names, with its words for coded values. `{}` where there is none; null
 * where it can't be read. `block` is the EXIF block, with or without its `Exif\0\0`.
 */
export function exifJson(block: Uint8Array | undefined): string | null {
  if (!block) return '{}';
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  try {
    const tags = readExif(bytes.toString('latin1', 0, 4) === 'Exif' ? bytes.subarray(6) : bytes);
    return tags ? pythonJson(tags) : null;
  } catch (error) {
    // An offset beyond the end: the header is damaged.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Python's `json.dumps` of strings by name. */
function pythonJson(tags: Readonly<Record<string, string>>): string {
  const text = `{${Object.entries(tags)
    .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
    .join(', ')}}`;
  return text.replace(/[\u007F-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const ORIENTATION = 0x0112;

/** EXIF's orientation, 1 to 8; undefined where the block does not say it plainly, and libvips has to be asked. */
export function exifOrientation(block: Uint8Array): number | undefined {
  const tiff = Buffer.from(block.buffer, block.byteOffset, block.byteLength).subarray(6);
  const order = tiff.toString('latin1', 0, 2);
  if (order !== 'II' && order !== 'MM') return undefined;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const little = order === 'II';
  try {
    const directory = view.getUint32(4, little);
    const entries = view.getUint16(directory, little);
    for (let entry = directory + 2; entry < directory + 2 + 12 * entries; entry += 12) {
      if (view.getUint16(entry, little) !== ORIENTATION) continue;
      const value = view.getUint16(entry + 8, little);
      return view.getUint16(entry + 2, little) === 3 && value >= 1 && value <= 8 ? value : undefined;
    }
    return 1;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
