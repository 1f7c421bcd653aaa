import type { PilKernel } from '../pictures/pil-resize.ts';

/** What is known of a model before a file of it is opened: an entry of the registry, or read from a local folder. */
export interface ModelEntry {
  readonly id: string;
  /** Length of an embedding. */
  readonly dimensions: number;
  readonly image: ImageTower;
  readonly text: TextTower;
  /** Smallest cosine of image and text with which `filter` keeps a pair, by set. Undefined where none is known: the user has to give it. */
  readonly thresholds: Thresholds | undefined;
  /** Name under which LAION's heads know the image tower: `ViT-B/32`. Heads of one name fit every model with it. */
  readonly headsFor: string;
  /** Files of the picture tower's source from which this entry was read; none of an id. */
  readonly configuration?: readonly string[];
}

export interface Thresholds {
  en: number;
  multi: number;
  nolang: number;
}

/** A hub repository at a revision, or a local folder with the same layout. */
export type FileSource = { readonly repository: string; readonly revision: string } | { readonly folder: string };

export interface ImageTower {
  readonly source: FileSource;
  /** ONNX: pixels float32 [n, 3, size, size] -> embeddings [n, dimensions]. */
  readonly file: string;
  /** The same in int8, where the model has it. */
  readonly int8?: string | undefined;
  readonly preprocessing: ImagePreprocessing;
}

/** `aligned`: between the four nearest pixels, the corners of both pictures in one place, and not rounded (TensorFlow.js, align_corners). */
export type Interpolation = PilKernel | 'nearest' | 'aligned';

export interface ImagePreprocessing {
  /** Side of the square that the model sees, in pixels: the centre of the resized picture. */
  readonly size: number;
  /** `crop`: the shortest side is resized (CLIP). `squash`: both sides are (SigLIP). */
  readonly fit: 'crop' | 'squash';
  /** To which length; `size` where none is given. */
  readonly resizeTo?: number | undefined;
  /** Where the centre lies between two pixels: to the even one of the two, as torchvision does, or `down`, as transformers does. */
  readonly centre?: 'down' | undefined;
  readonly interpolation: Interpolation;
  /** What resizes: Pillow's arithmetic, to the byte, or libvips' (mini). */
  readonly resize?: 'libvips' | undefined;
  /** Of the channels red, green, blue in 0 to 1. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

export interface TextTower {
  readonly source: FileSource;
  /** ONNX: token ids (and an attention mask) [n, length] -> embeddings, or one vector a token where `pooling` is mean. */
  readonly file: string;
  /** The same in int8, where the model has it. */
  readonly int8?: string | undefined;
  /** tokenizer.json. */
  readonly tokenizer: string;
  /** `open-clip`: open_clip's cleaning and byte pairs, zero-padded to `maxTokens`. `hub`: as tokenizer.json says. */
  readonly tokenization: 'open-clip' | 'hub';
  /** Longer token sequences are cut. */
  readonly maxTokens: number;
  /** Id that fills up a text. */
  readonly padId: number;
  /**
   * `own`: a text is padded to its own length, rounded up; for towers in which what follows the text changes nothing (a mask, or
   * CLIP's causal attention). `full`: to `maxTokens`, as SigLIP and MobileCLIP were trained.
   */
  readonly padding: 'own' | 'full';
  readonly pooling: 'none' | 'mean';
  /** safetensors with `linear.weight` (and `linear.bias`) applied after pooling. */
  readonly projection?: string;
}
