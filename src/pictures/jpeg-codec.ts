import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../contracts/package-root.ts';
import { HASHED_SIDE } from './perceptual-hash.ts';
import { type PilResize, pilKernels } from './pil-resize.ts';
import type { Size } from './size.ts';

// TypeScript has these in its library for browsers only.
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
  RuntimeError: new () => Error;
};

/** Exports of wasm/picture.wasm: libjpeg-turbo, a resize of planes, and PIL's of pixels (recipes/picture-wasm). Pointers are offsets in `memory`. */
interface PictureModule {
  memory: { buffer: ArrayBuffer };
  __stack_pointer: { value: number };
  _initialize(): void;
  /** Frees all memory, and gives room for an encoded picture. */
  reserve(length: number): number;
  /** int32: width, height, components, progressive, has a profile, not for this code. */
  read_header(length: number): number;
  /** Pixels of the picture whose header was read; 0 where it is damaged. */
  decode_rgb(): number;
  job_address(): number;
  /** Length of the packed picture; 0 where the stored one is damaged. */
  pack(): number;
  packed_address(): number;
  /** Brightness of the picture that was packed last, 32 x 32. */
  small_address(): number;
  resize_address(): number;
  resize_begin(): void;
  resize_rows(pixels: number, rows: number): void;
  /** Pixels of the resized picture. */
  resize_end(): number;
}

/** How a JPEG is packed, in pixels of the picture as it is shown. */
export interface PackPlan {
  /** Size that the caller read in the header: where libjpeg reads another, it is a picture for another decoder. */
  storedWidth: number;
  storedHeight: number;
  /** EXIF's 1 to 8. */
  orientation: number;
  /** Size that the whole picture is scaled to (absent: its own), and by which kernel: area shrinks, lanczos enlarges. */
  scaled?: Size | undefined;
  kernel: 'area' | 'lanczos';
  /** Size of the packed picture, and where it begins on the scaled one: below 0 with a margin, which is white, above 0 with a crop. */
  width: number;
  height: number;
  left: number;
  top: number;
  /** 1 to 100; colour is packed in half the resolution (4:2:0). */
  quality: number;
}

export interface Pixels extends Size {
  /** RGB. */
  data: Uint8Array;
}

/** What a picture may take here, so that one large one does not leave every worker's memory large: libvips streams such. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Pixels that are resized without having been decoded here come in pieces of this size. */
const RESIZED_AT_ONCE = 1024 * 1024;

/**
 * Of what is asked for, a side that is decoded has at least this. Blocks are decoded to means of 2 x 2, 4 x 4 or 8 x 8 pixels where enough of them
 * are left: an area is then whole means, and at its edges parts of two.
 */
const MIN_DECODED_SCALE = 2;

/**
 * Decodes JPEGs, resizes them, and packs them in another size, in one memory that is used again. It takes plain JPEGs only: undefined means that
 * the picture is unusual (CMYK, 12 bits, arithmetic coding, very large) or damaged, and that another decoder has to say what it is.
 */
export class JpegCodec {
  readonly #module: PictureModule;
  readonly #stack: number;

  constructor() {
    const bytes = readFileSync(join(packageRoot(), 'wasm', 'picture.wasm'));
    this.#module = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as PictureModule;
    this.#module._initialize();
    this.#stack = this.#module.__stack_pointer.value;
  }

  /** All pixels as libjpeg-turbo decodes them by default, which is what PIL gives. A colour profile is left out of account. */
  decode(picture: Uint8Array): Pixels | undefined {
    return this.#withoutTraps(() => {
      const header = this.#readHeader(picture);
      if (!header || this.#bytesOf(header, 8) > MAX_BYTES) return undefined;
      const { width, height } = header;
      const at = this.#module.decode_rgb();
      return at === 0 ? undefined : { data: this.#copy(at, width * height * 3), width, height };
    });
  }

  /** The same pixels, resized as `plan` says of the picture's size; only these leave the module's memory. */
  decodeResized(picture: Uint8Array, plan: (of: Size) => PilResize): Uint8Array | undefined {
    return this.#withoutTraps(() => {
      const header = this.#readHeader(picture);
      if (!header || this.#bytesOf(header, 8) > MAX_BYTES) return undefined;
      const at = this.#module.decode_rgb();
      if (at === 0) return undefined;
      const resize = plan(header);
      const { firstRow, rows } = this.#beginResize(header, resize);
      this.#module.resize_rows(at + firstRow * header.width * 3, rows);
      return this.#endResize(resize);
    });
  }

  /** Pixels that another decoder gave, resized. They pass through here a few rows at a time, however large the picture is. */
  resize(pixels: Pixels, resize: PilResize): Uint8Array {
    const line = pixels.width * 3;
    const most = Math.max(1, Math.floor(RESIZED_AT_ONCE / line));
    const at = this.#module.reserve(most * line);
    const { firstRow, rows } = this.#beginResize(pixels, resize);
    for (let row = 0; row < rows; row += most) {
      const count = Math.min(most, rows - row);
      const from = (firstRow + row) * line;
      new Uint8Array(this.#module.memory.buffer).set(pixels.data.subarray(from, from + count * line), at);
      this.#module.resize_rows(at, count);
    }
    return this.#endResize(resize);
  }

  /** Gives the rows of the picture that are needed. */
  #beginResize({ width, height }: Size, { to, crop, kernel }: PilResize): { firstRow: number; rows: number } {
    const at = this.#module.resize_address();
    const asked = [width, height, ...to, crop.left, crop.top, crop.width, crop.height, pilKernels[kernel]];
    new Int32Array(this.#module.memory.buffer, at).set(asked);
    this.#module.resize_begin();
    const [firstRow, rows] = new Int32Array(this.#module.memory.buffer, at + 4 * asked.length, 2);
    return { firstRow: firstRow!, rows: rows! };
  }

  #endResize({ crop }: PilResize): Uint8Array {
    return this.#copy(this.#module.resize_end(), crop.width * crop.height * 3);
  }

  /** The packed JPEG. Undefined also where the picture has a colour profile. */
  pack(picture: Uint8Array, plan: PackPlan): Uint8Array | undefined {
    return this.#withoutTraps(() => {
      const header = this.#readHeader(picture);
      if (!header || header.profile || header.width !== plan.storedWidth || header.height !== plan.storedHeight) return undefined;
      const { orientation, kernel, width, height, left, top, quality } = plan;
      const shown = orientation >= 5 ? { width: header.height, height: header.width } : header;
      const scaled = plan.scaled ?? shown;
      const scale = Math.min(shown.width / scaled.width, shown.height / scaled.height);
      let block = 8;
      while (block > 1 && (scale * block) / 16 >= MIN_DECODED_SCALE) block /= 2;
      if (this.#bytesOf(header, block) + width * height * 5 > MAX_BYTES) return undefined;
      new Int32Array(this.#module.memory.buffer, this.#module.job_address()).set([
        block,
        scaled.width,
        scaled.height,
        width,
        height,
        left,
        top,
        orientation,
        kernel === 'lanczos' ? 1 : 0,
        quality,
      ]);
      const length = this.#module.pack();
      return length === 0 ? undefined : this.#copy(this.#module.packed_address(), length);
    });
  }

  /** Brightness of the whole picture that was packed last, as it is shown: 32 x 32 values for its perceptual hash. */
  brightness(): Uint8Array {
    return this.#copy(this.#module.small_address(), HASHED_SIDE * HASHED_SIDE);
  }

  #readHeader(picture: Uint8Array): Header | undefined {
    if (picture.byteLength > MAX_BYTES) return undefined;
    const at = this.#module.reserve(picture.byteLength);
    new Uint8Array(this.#module.memory.buffer).set(picture, at);
    const header = this.#module.read_header(picture.byteLength);
    const [width, height, components, progressive, profile, hard] = new Int32Array(this.#module.memory.buffer, header, 6);
    if (hard !== 0) return undefined;
    return { width: width!, height: height!, components: components!, progressive: progressive === 1, profile: profile === 1 };
  }

  /** Planes at their largest, and the coefficients that a progressive picture keeps. */
  #bytesOf({ width, height, components, progressive }: Header, block: number): number {
    return width * height * components * ((block / 8) ** 2 + (progressive ? 2 : 0));
  }

  /** libjpeg's errors end in a trap, which leaves the stack where it was: `reserve` makes all else new. */
  #withoutTraps<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.#module.__stack_pointer.value = this.#stack;
      return undefined;
    }
  }

  #copy(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#module.memory.buffer).slice(at, at + length);
  }
}

interface Header extends Size {
  components: number;
  progressive: boolean;
  profile: boolean;
}

let codec: JpegCodec | undefined;

/** The one of this thread: its memory is what makes it worth keeping. */
export function jpegCodec(): JpegCodec {
  return (codec ??= new JpegCodec());
}
