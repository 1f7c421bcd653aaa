import { type Context, Hono } from 'hono';
import { z } from 'zod';
import type { IndexedSample } from '../../contracts/index-description.ts';
import { Modality } from '../../contracts/index-description.ts';
import { HttpError } from '../http-error.ts';
import { jsonResponse } from '../json-response.ts';
import { firstOfGroups } from '../near-duplicates.ts';
import { parseBody } from '../parse-body.ts';
import { encodePicture, encodeText, modalityOf, type ServedIndex, type Service, withIndex } from '../served-index.ts';

/** Results among which near-duplicates are looked for: the work is quadratic, and more are not seen at once. */
const DEDUPLICATED = 1000;
/** clip-retrieval's inner product from which two results count as the same. */
const SAME = 0.94;
/** LAION's threshold for unsafe. */
const UNSAFE = 0.5;
const MAX_RESULTS = 100_000;
/** Unknown fields that an answer names. */
const MAX_NAMED = 20;

/** clip-retrieval's request (clip_back.py, KnnService.post): every field may be null. */
const KnnRequest = z.looseObject({
  text: z.string().nullish(),
  image: z.string().nullish(),
  image_url: z.string().nullish(),
  embedding_input: z.array(z.number()).nullish(),
  modality: Modality.nullish(),
  num_images: z.coerce.number().int().nonnegative().max(MAX_RESULTS).nullish(),
  num_result_ids: z.coerce.number().int().nonnegative().max(MAX_RESULTS).nullish(),
  indice_name: z.string().nullish(),
  use_mclip: z.boolean().nullish(),
  deduplicate: z.boolean().nullish(),
  use_safety_model: z.boolean().nullish(),
  use_violence_detector: z.boolean().nullish(),
  aesthetic_score: z.union([z.number(), z.string()]).nullish(),
  aesthetic_weight: z.union([z.number(), z.string()]).nullish(),
});
type KnnRequest = z.infer<typeof KnnRequest>;

/** POST /knn-service: what clip-retrieval's clients (ClipClient, clip-retrieval-front) ask. */
export function knnServiceRoute(service: Service): Hono {
  return new Hono().post('/knn-service', (c) =>
    service.metrics.time('full_knn_request_time', async () => {
      const request = await parseBody(c, KnnRequest);
      return withIndex(service, request.indice_name, (served) => answer(c, service, served, request));
    }),
  );
}

async function answer(c: Context, service: Service, served: ServedIndex, request: KnnRequest): Promise<Response> {
  const { index } = served;
  const unused = withoutEffect(request, served);
  if (unused.length > 0) c.header('X-Pairmill-Without-Effect', unused.join(', '));
  const modality = modalityOf(served, request.modality);
  const numImages = request.num_images ?? 40;
  const vector = await queryVector(service, served, request);
  const predicate = request.use_safety_model && index.description.heads.includes('punsafe') ? { maxTags: { punsafe: UNSAFE } } : {};
  let hits = await service.metrics.time('knn_index_time', () => index.search(vector, { k: request.num_result_ids ?? numImages, modality, predicate }));
  if (request.deduplicate) {
    const seen = hits.slice(0, DEDUPLICATED);
    const groups = await service.metrics.time('dedup_time', () => firstOfGroups(seen, ({ id }) => index.vector(id, modality), SAME));
    hits = [...groups.map(({ first }) => first), ...hits.slice(DEDUPLICATED)];
  }
  const samples = await service.metrics.time('metadata_get_time', () => index.samples(hits.slice(0, numImages).map(({ id }) => id)));
  return jsonResponse(
    c,
    hits.map(({ id, score }, i) => ({ ...(i < samples.length && legacyMetadata(samples[i]!)), id, similarity: score })),
  );
}

/** A sample under clip-retrieval's column names. */
export function legacyMetadata({ url, caption, key, NSFW, hash, language, licence, width, height, tags, further }: IndexedSample): Record<string, unknown> {
  return { ...further, url, caption, image_path: key, key, NSFW, hash, language, LICENSE: licence, width, height, ...tags };
}

async function queryVector(service: Service, served: ServedIndex, { text, image, image_url, embedding_input }: KnnRequest): Promise<Float32Array> {
  if (text) return encodeText(service, served, text);
  if (image) return encodePicture(service, served, Buffer.from(image.replace(/^data:[^,]*,/, ''), 'base64'));
  if (image_url) {
    if (!service.fetcher)
      throw new HttpError(400, 'This server does not fetch image_url unless it is started with --fetch-image-url. Send the picture itself as image (base64).');
    return encodePicture(service, served, await service.fetcher.fetch(image_url));
  }
  if (embedding_input) {
    const { dimensions, model } = served.index.description;
    if (embedding_input.length !== dimensions)
      throw new HttpError(
        400,
        `embedding_input has ${embedding_input.length} values, but the vectors of this index (${model.id === '' ? 'of an unknown model' : `model ${model.id}`}) have ${dimensions}.`,
      );
    return searchable(embedding_input);
  }
  throw new HttpError(400, 'One of text, image, image_url or embedding_input is needed.');
}

/** The values in float32, of which something must be left: neither zero nor beyond its range. */
function searchable(values: readonly number[]): Float32Array {
  const vector = Float32Array.from(values);
  const overflowing = vector.findIndex((value) => !Number.isFinite(value));
  if (overflowing >= 0)
    throw new HttpError(400, `embedding_input has the value ${values[overflowing]} at ${overflowing}, which is beyond float32. Send it normalised.`);
  if (vector.every((value) => value === 0)) throw new HttpError(400, 'embedding_input is zero in float32: it points nowhere, so nothing is near to it.');
  return vector;
}

/** Options that were asked for and that this index has no model for, and fields that there are not. */
function withoutEffect(request: KnnRequest, { index }: ServedIndex): string[] {
  const asked: [string, boolean][] = [
    ['use_mclip', request.use_mclip === true],
    ['use_safety_model', request.use_safety_model === true && !index.description.heads.includes('punsafe')],
    ['use_violence_detector', request.use_violence_detector === true],
    ['aesthetic_score', request.aesthetic_score != null && request.aesthetic_score !== ''],
  ];
  // What a header can't hold is left out of the names.
  const unknown = Object.keys(request).filter((name) => !Object.hasOwn(KnnRequest.shape, name));
  return [...asked.filter(([, without]) => without).map(([name]) => name), ...unknown.slice(0, MAX_NAMED).map((name) => name.replaceAll(/[^\w-]/g, '?'))];
}
