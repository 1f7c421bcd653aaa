/** A tag of a TIFF directory: values are numbers, text, bytes, pairs of numbers (ratios), or a directory that it points to. */
export type Tag = readonly [tag: number, type: number, values: string | Buffer | readonly (number | readonly [number, number])[] | readonly Tag[]];

const BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4];

/** An EXIF block (`Exif\0\0` and a TIFF header) of a picture's directory and, where it is given, that of its thumbnail. */
export function exifBlock(little: boolean, picture: readonly Tag[], thumbnail?: readonly Tag[]): Buffer {
  const parts: Buffer[] = [Buffer.from(little ? 'II*\0' : 'MM\0*', 'latin1'), number(4, 8)];
  let length = 8;
  const first = directory(picture);
  if (thumbnail) {
    const start = length;
    directory(thumbnail);
    number(4, start).copy(parts[first]!, parts[first]!.byteLength - 4);
  }
  return Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), ...parts]);

  /** Appends a directory, then what its tags point to; returns the index of the part. */
  function directory(tags: readonly Tag[]): number {
    const entries = Buffer.alloc(2 + 12 * tags.length + 4);
    number(2, tags.length).copy(entries, 0);
    const index = append(entries);
    for (const [i, [tag, type, values]] of tags.entries()) {
      const at = 2 + 12 * i;
      const isDirectory = Array.isArray(values) && Array.isArray(values[0]) && values[0].length === 3;
      const bytes = isDirectory ? number(4, length) : encoded(type, values as Exclude<Tag[2], readonly Tag[]>);
      if (isDirectory) directory(values as readonly Tag[]);
      number(2, tag).copy(entries, at);
      number(2, type).copy(entries, at + 2);
      number(4, bytes.byteLength / BYTES[type]!).copy(entries, at + 4);
      if (bytes.byteLength <= 4) bytes.copy(entries, at + 8);
      else {
        number(4, length).copy(entries, at + 8);
        append(bytes);
      }
    }
    return index;
  }

  function append(bytes: Buffer): number {
    length += bytes.byteLength;
    return parts.push(bytes) - 1;
  }

  function encoded(type: number, values: Exclude<Tag[2], readonly Tag[]>): Buffer {
    if (typeof values === 'string') return Buffer.from(values);
    if (Buffer.isBuffer(values)) return values;
    if (type === 11 || type === 12) return Buffer.concat((values as number[]).map((value) => float(type, value)));
    const size = type === 5 || type === 10 ? 4 : BYTES[type]!;
    return Buffer.concat((values as (number | [number, number])[]).flat().map((value) => number(size, value)));
  }

  function number(size: number, value: number): Buffer {
    const bytes = Buffer.alloc(size);
    const wrapped = value < 0 ? value + 2 ** (8 * size) : value;
    if (little) bytes.writeUIntLE(wrapped, 0, size);
    else bytes.writeUIntBE(wrapped, 0, size);
    return bytes;
  }

  function float(type: number, value: number): Buffer {
    const bytes = Buffer.alloc(BYTES[type]!);
    if (type === 11) bytes.writeFloatLE(value);
    else bytes.writeDoubleLE(value);
    if (little) return bytes;
    return type === 11 ? bytes.swap32() : bytes.swap64();
  }
}

/** A JPEG with such a block after its first marker. */
export function withExifBlock(jpeg: Buffer, block: Buffer): Buffer {
  const header = Buffer.from([0xff, 0xe1, 0, 0]);
  header.writeUInt16BE(block.byteLength + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), header, block, jpeg.subarray(2)]);
}

const [BYTE, ASCII, SHORT, LONG, RATIO, SIGNED_BYTE, UNDEFINED, SIGNED_SHORT, SIGNED_LONG, SIGNED_RATIO, FLOAT, DOUBLE] = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
];

/** A camera's tags, and every type and oddity that exifread has a rule for. */
export const manyTags: readonly [picture: readonly Tag[], thumbnail: readonly Tag[]] = [
  [
    [0x010e, ASCII, ' Größe “x” \u007f\0rest'],
    [0x010f, ASCII, Buffer.from('Caf\xe9 \'a\' "b"\n\0', 'latin1')],
    [0x0112, SHORT, [1]],
    [0x011a, RATIO, [[72, 1]]],
    [0x0128, SHORT, [2]],
    [0x0213, SHORT, [1]],
    [
      0x013e,
      RATIO,
      [
        [1, 3],
        [2, 6],
        [5, 0],
      ],
    ],
    [0x0102, SHORT, [8, 8, 8]],
    [0x0103, SHORT, [7, 12345]],
    [0x4746, SHORT, []],
    [0x9c9d, BYTE, Buffer.from('Müller\0', 'utf16le')],
    [0xabcd, LONG, [1, 4_294_967_295]],
    [0xabce, SHORT, Array.from({ length: 60 }, (_, i) => i)],
    [0xabcf, SHORT, Array.from({ length: 1000 }, (_, i) => i)],
    [
      0x8769,
      LONG,
      [
        [0x829a, RATIO, [[10, 600]]],
        [0x829d, RATIO, [[28, 10]]],
        [0x8822, SHORT, [3]],
        [0x9000, UNDEFINED, Buffer.from('0230')],
        [0x9003, ASCII, '2019:05:04 03:02:01\0'],
        [0x9101, UNDEFINED, Buffer.from([1, 2, 3, 0])],
        [0x9204, SIGNED_RATIO, [[-1, 3]]],
        [0x9207, SHORT, [5]],
        [0x9208, SHORT, [99]],
        [0x9209, SHORT, [24]],
        [0x9214, SHORT, [10, 20, 30, 40]],
        [0x9286, UNDEFINED, Buffer.from('ASCII\0\0\0left out')],
        [0xa000, UNDEFINED, Buffer.alloc(4)],
        [0xa001, SHORT, [65535]],
        [
          0xa005,
          LONG,
          [
            [0x0001, ASCII, 'R98\0'],
            [0x0002, UNDEFINED, Buffer.from('0100')],
          ],
        ],
        [0xa217, SHORT, [2]],
        [0xa300, UNDEFINED, Buffer.from([3])],
        [0xa402, SHORT, [2]],
        [0xa403, SHORT, [1]],
        [0xa406, SHORT, [0]],
        [0xa40c, SIGNED_SHORT, [-2]],
        [0xa404, FLOAT, [1.5]],
        [0xa500, DOUBLE, [1, 1e-7, 123456789.125]],
        [0xabc0, SIGNED_BYTE, [-1]],
        [0xabc1, SIGNED_LONG, [-70_000, 3]],
      ],
    ],
    [
      0x8825,
      LONG,
      [
        [0x0000, BYTE, Buffer.from([2, 3, 0, 0])],
        [0x0001, ASCII, 'N\0'],
        [
          0x0002,
          RATIO,
          [
            [52, 1],
            [30, 1],
            [1234, 100],
          ],
        ],
        [0x0006, RATIO, [[34, 1]]],
      ],
    ],
  ],
  [
    [0x0103, SHORT, [6]],
    [0x0128, SHORT, [3]],
    [0x0201, LONG, [1000]],
    [0x0202, LONG, [5000]],
  ],
];
