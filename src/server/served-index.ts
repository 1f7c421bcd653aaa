import type { DualEncoder } from '../models/load-model.ts';
import type { Modality } from '../contracts/index-description.ts';
import type { KnnIndex } from '../knn/open-index.ts';
import type { PictureFetcher } from './fetch-picture.ts';
import { HttpError } from './http-error.ts';
import type { Metrics } from './metrics.ts';
import type { Pictures } from './pictures.ts';

/** A build of an index with what it takes to ask it. */
export interface ServedIndex {
  readonly name: string;
  readonly index: KnnIndex;
  /** Undefined where nobody said which model made the vectors. */
  readonly encoder: Pick<DualEncoder, 'id' | 'encodeTexts' | 'encodeImages'> | undefined;
  readonly pictures: Pictures | undefined;
}

/** An index by its name, whichever its build. */
export interface IndexSource {
  readonly name: string;
  /** Answers one request by one build. `work` may run again, by a newer build, where the files of the first have vanished. */
  use<T>(work: (served: ServedIndex) => Promise<T>): Promise<T>;
}

/** What the routes answer from. */
export interface Service {
  /** Not empty; the first is asked where a request names none. */
  readonly indices: readonly IndexSource[];
  readonly metrics: Metrics;
  /** Undefined unless the server was told to fetch pictures by their URL. */
  readonly fetcher?: PictureFetcher | undefined;
}

/** Answers a request by the index of that name, or the first. */
export async function withIndex<T>(service: Service, name: string | null | undefined, work: (served: ServedIndex) => Promise<T>): Promise<T> {
  if (name == null || name === '') return service.indices[0]!.use(work);
  const found = service.indices.find((each) => each.name === name);
  if (!found) throw new HttpError(404, `There is no index ${JSON.stringify(name)}; there is ${service.indices.map((each) => each.name).join(', ')}.`);
  return found.use(work);
}

/** Texts are cut by the tokenizer anyway; this bounds its work. */
const MAX_TEXT = 10_000;

export async function encodeText(service: Service, served: ServedIndex, text: string): Promise<Float32Array> {
  const encoder = encoderOf(served);
  const [vector] = await service.metrics.time('text_clip_inference_time', () => encoder.encodeTexts([text.slice(0, MAX_TEXT)]));
  if (!(vector instanceof Float32Array)) throw new HttpError(400, `The text can't be encoded: ${vector?.message ?? 'no result'}`);
  return vector;
}

export async function encodePicture(service: Service, served: ServedIndex, bytes: Uint8Array): Promise<Float32Array> {
  const encoder = encoderOf(served);
  const [vector] = await service.metrics.time('image_clip_inference_time', () => encoder.encodeImages([bytes]));
  if (!(vector instanceof Float32Array)) throw new HttpError(400, `The picture can't be searched by: ${vector?.message ?? 'no result'}.`);
  return vector;
}

/** Which vectors a query is compared with: those asked for, else pictures where the index has them. Throws HttpError where it lacks them. */
export function modalityOf({ index: { description } }: ServedIndex, asked: Modality | null | undefined): Modality {
  const modality = asked ?? (description.vectors.image ? 'image' : 'text');
  if (!description.vectors[modality])
    throw new HttpError(
      400,
      `The index has no ${modality} vectors. Search with modality=${modality === 'image' ? 'text' : 'image'}, or build it from embeddings of both.`,
    );
  return modality;
}

function encoderOf({ encoder }: ServedIndex): NonNullable<ServedIndex['encoder']> {
  if (!encoder)
    throw new HttpError(
      400,
      'Nobody said which model made the vectors of this index, so texts and pictures of yours can not be compared with them. Start serve with --model MODEL, or search by a sample of the index or by an embedding.',
    );
  return encoder;
}
