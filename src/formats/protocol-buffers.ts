/** Protocol buffers, as far as ONNX files need them: fields written, and found in bytes or in a file that is not read as a whole. */

/** Bytes at any place: of memory, or of a file. Fewer than asked for at the end. */
export type ReadBytes = (at: number, length: number) => Uint8Array;

/** A field of a message, and where it lies. */
export interface Field {
  number: number;
  /** 0 a number, 2 bytes, text, a message or packed numbers. */
  wire: number;
  /** Where it begins with its tag, where its content does, and where that ends. */
  start: number;
  at: number;
  end: number;
  /** Of a number. */
  value: number;
}

const VARINT_BYTES = 10;

/** The fields of the message from `start` to `end`. Throws an Error for what is none. */
export function* fieldsOf(read: ReadBytes, start: number, end: number): Generator<Field> {
  for (let at = start; at < end;) {
    const tag = readVarint(read, at);
    const wire = tag.value % 8;
    const field: Field = { number: Math.floor(tag.value / 8), wire, start: at, at: tag.end, end: tag.end, value: 0 };
    if (wire === 0) ({ value: field.value, end: field.end } = readVarint(read, tag.end));
    else if (wire === 1) field.end += 8;
    else if (wire === 5) field.end += 4;
    else if (wire === 2) {
      const length = readVarint(read, tag.end);
      field.at = length.end;
      field.end = length.end + length.value;
    } else throw new Error(`wire type ${wire}`);
    if (field.end > end || field.number === 0) throw new Error('a field ends beyond its message');
    yield field;
    at = field.end;
  }
}

function readVarint(read: ReadBytes, at: number): { value: number; end: number } {
  const digits = read(at, VARINT_BYTES);
  const last = digits.findIndex((digit) => digit < 128);
  if (last < 0) throw new Error('a number without an end');
  let value = 0;
  // Only negative numbers take all ten.
  if (last === VARINT_BYTES - 1)
    value = Number(
      BigInt.asIntN(
        64,
        digits.reduce((sum, digit, i) => sum | (BigInt(digit & 127) << BigInt(7 * i)), 0n),
      ),
    );
  else for (let i = last; i >= 0; i--) value = value * 128 + (digits[i]! & 127);
  return { value, end: at + last + 1 };
}

/** The fields of a whole message in memory, each with its content. */
export function fieldsIn(encoded: Uint8Array): (Field & { content: Uint8Array; encoded: Uint8Array })[] {
  const fields = [...fieldsOf(memory(encoded), 0, encoded.length)];
  return fields.map((field) => ({ ...field, content: encoded.subarray(field.at, field.end), encoded: encoded.subarray(field.start, field.end) }));
}

/** The text of a field of a message; empty where it has none. */
export function textIn(encoded: Uint8Array, wanted: number): string {
  return new TextDecoder().decode(fieldsIn(encoded).find(({ number }) => number === wanted)?.content);
}

/** The numbers of a repeated field, packed or one by one. */
export function numbersIn(encoded: Uint8Array, wanted: number): number[] {
  return fieldsIn(encoded).flatMap(({ number, wire, value, content }) => {
    if (number !== wanted) return [];
    if (wire === 0) return [value];
    const numbers: number[] = [];
    for (let at = 0; at < content.length;) {
      const next = readVarint(memory(content), at);
      numbers.push(next.value);
      at = next.end;
    }
    return numbers;
  });
}

const memory =
  (encoded: Uint8Array): ReadBytes =>
  (at, length) =>
    encoded.subarray(at, at + length);

export function message(...fields: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

/** A base-128 number; negative ones take ten bytes, as protocol buffers ask. */
function varint(value: number): number[] {
  const digits: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 128n) {
    digits.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...digits, Number(rest)];
}

export function int(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field << 3), ...varint(value)]);
}

export function float(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint((field << 3) | 5), ...new Uint8Array(Float32Array.of(value).buffer)]);
}

export function bytes(field: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(value.length)]), value]);
}

export function text(field: number, value: string): Uint8Array {
  return bytes(field, Buffer.from(value));
}
