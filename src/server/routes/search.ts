import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { type IndexedSample, Modality, modalities } from '../../contracts/index-description.ts';
import type { IndexResponse, SearchResponse, SearchResult } from '../../contracts/search-api.ts';
import type { KnnPredicate } from '../../knn/predicate.ts';
import type { KnnIndex, SearchOptions } from '../../knn/open-index.ts';
import type { Hit } from '../../knn/search.ts';
import { HttpError } from '../http-error.ts';
import { firstOfGroups } from '../near-duplicates.ts';
import { checked } from '../parse-body.ts';
import { parseHash } from '../parse-hash.ts';
import { encodePicture, encodeText, modalityOf, type ServedIndex, type Service, withIndex } from '../served-index.ts';

const numeric = (name: string): z.ZodOptional<z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>> =>
  z
    .string()
    .transform((text, context) => {
      const value = Number(text);
      if (text.trim() === '' || !Number.isFinite(value)) context.addIssue({ code: 'custom', message: `${name} is no number: ${JSON.stringify(text)}` });
      return value;
    })
    .optional();

const MAX_PIXELS_A_SIDE = 2 ** 31 - 1;
/** The column holds whole numbers. */
const pixels = (name: string): ReturnType<typeof numeric> =>
  numeric(name).refine(
    (value) => value === undefined || (Number.isInteger(value) && value >= 0 && value <= MAX_PIXELS_A_SIDE),
    `must be a whole number of pixels, from 0 to ${MAX_PIXELS_A_SIDE}`,
  );

const bound = /^([\w-]+):(-?\d+(?:\.\d+)?)$/;

/** Query parameters; `language`, `max_tag` and `min_tag` may come several times. */
const SearchParameters = z.object({
  index: z.string().optional(),
  text: z.string().optional(),
  like: z.string().optional(),
  modality: Modality.optional(),
  k: numeric('k'),
  language: z.array(z.string()).default([]),
  min_similarity: numeric('min_similarity'),
  min_width: pixels('min_width'),
  min_height: pixels('min_height'),
  max_tag: z.array(z.string().regex(bound, 'must be NAME:NUMBER')).default([]),
  min_tag: z.array(z.string().regex(bound, 'must be NAME:NUMBER')).default([]),
  exact: z.enum(['true', 'false']).default('false'),
  distinct: z.enum(['true', 'false']).default('false'),
});
type SearchParameters = z.infer<typeof SearchParameters>;

const MAX_K = 1000;
/** Results among which equal pictures are looked for: the work is quadratic. */
const MAX_GROUPED = 2000;
/** Higher than clip-retrieval's 0.94: like pictures stay apart, the same one in another size or file does not. */
const SAME_PICTURE = 0.98;
const severally = new Set(['language', 'max_tag', 'min_tag']);

/**
 * The search API, version 1 (docs/serve.md):
 * GET /api/v1/search?text=… or ?like=HASH; POST /api/v1/search with a picture as the body; GET /api/v1/index;
 * GET /api/v1/samples/HASH.
 */
export function searchRoute(service: Service): Hono {
  const search = (c: Context, body: Uint8Array | undefined): Promise<Response> =>
    service.metrics.time('full_knn_request_time', () => {
      const given = Object.entries(c.req.queries()).map(([name, values]) => [name, severally.has(name) ? values : values[0]]);
      const unknown = given.map(([name]) => name as string).filter((name) => !Object.hasOwn(SearchParameters.shape, name));
      if (unknown.length > 0)
        throw new HttpError(400, `There is no parameter ${unknown.join(', ')}. Those of a search are ${Object.keys(SearchParameters.shape).join(', ')}.`);
      const parameters = checked(SearchParameters, Object.fromEntries(given));
      return withIndex(service, parameters.index, async (served) => c.json(await searchResponse(service, served, parameters, body)));
    });
  return new Hono()
    .get('/api/v1/search', (c) => search(c, undefined))
    .post('/api/v1/search', async (c) => search(c, new Uint8Array(await c.req.arrayBuffer())))
    .get('/api/v1/index', (c) => withIndex(service, c.req.query('index'), async (served) => c.json(await describe(served))))
    .get('/api/v1/samples/:hash{-?\\d{1,19}}', (c) =>
      withIndex(service, c.req.query('index'), async (served) => {
        const sample = await served.index.byHash(parseHash(c.req.param('hash')));
        if (!sample) throw new HttpError(404, `The index has no sample ${c.req.param('hash')}.`);
        return c.json(resultOf(served, sample, { score: 1, others: 0 }));
      }),
    );
}

async function searchResponse(service: Service, served: ServedIndex, parameters: SearchParameters, body: Uint8Array | undefined): Promise<SearchResponse> {
  const started = performance.now();
  const k = parameters.k ?? 40;
  if (!Number.isInteger(k) || k < 1 || k > MAX_K) throw new HttpError(400, `k must be a whole number from 1 to ${MAX_K}.`);
  const modality = modalityOf(served, parameters.modality);
  const { index } = served;
  const predicate = predicateOf(parameters, index.description.heads);
  const vector = await queryVector(service, served, parameters, body);
  const options = { k, modality, predicate, exact: parameters.exact === 'true' };
  const hits =
    parameters.distinct === 'true'
      ? await distinctHits(service, index, vector, options)
      : (await service.metrics.time('knn_index_time', () => index.search(vector, options))).map((hit) => ({ ...hit, others: 0 }));
  const samples = await service.metrics.time('metadata_get_time', () => index.samples(hits.map(({ id }) => id)));
  return {
    index: served.name,
    modality,
    took_ms: Math.round((performance.now() - started) * 10) / 10,
    results: samples.map((sample, i) => resultOf(served, sample, hits[i]!)),
  };
}

async function queryVector(service: Service, served: ServedIndex, { text, like }: SearchParameters, body: Uint8Array | undefined): Promise<Float32Array> {
  if (body !== undefined) return encodePicture(service, served, body);
  if (like !== undefined) {
    const sample = await served.index.byHash(parseHash(like));
    if (!sample) throw new HttpError(404, `The index has no sample ${like}.`);
    // What the sample looks like; where the index has no pictures' vectors, what its caption says.
    return served.index.vector(sample.id, served.index.description.vectors.image ? 'image' : 'text');
  }
  if (text?.trim()) return encodeText(service, served, text);
  throw new HttpError(400, 'One of text or like is needed, or a picture as the body of a POST.');
}

/** The best of each picture: one found under many captions would fill the page. */
async function distinctHits(service: Service, index: KnnIndex, vector: Float32Array, options: SearchOptions): Promise<(Hit & { others: number })[]> {
  const modality = index.description.vectors.image ? 'image' : 'text';
  for (let limit = Math.min(MAX_GROUPED, 4 * options.k); ; limit = Math.min(MAX_GROUPED, 4 * limit)) {
    const hits = await service.metrics.time('knn_index_time', () => index.search(vector, { ...options, k: limit }));
    const groups = await service.metrics.time('dedup_time', () => firstOfGroups(hits, ({ id }) => index.vector(id, modality), SAME_PICTURE));
    if (groups.length >= options.k || hits.length < limit || limit === MAX_GROUPED)
      return groups.slice(0, options.k).map(({ first, others }) => ({ ...first, others }));
  }
}

function predicateOf({ language, min_similarity, min_width, min_height, max_tag, min_tag }: SearchParameters, heads: readonly string[]): KnnPredicate {
  const bounds = (terms: readonly string[]): Record<string, number> =>
    Object.fromEntries(terms.map((term) => bound.exec(term)!).map(([, name = '', value]) => [name, Number(value)]));
  const lacking = [...max_tag, ...min_tag].map((term) => bound.exec(term)![1]!).find((name) => !heads.includes(name));
  if (lacking !== undefined) throw new HttpError(400, `The index has no tag ${lacking}; ${heads.length > 0 ? `it has ${heads.join(', ')}` : 'it has none'}.`);
  return { languages: language, minSimilarity: min_similarity, minWidth: min_width, minHeight: min_height, maxTags: bounds(max_tag), minTags: bounds(min_tag) };
}

function resultOf({ pictures }: ServedIndex, sample: IndexedSample, { score, others }: { score: number; others: number }): SearchResult {
  const { id, hash, key, url, caption, language, licence, similarity, width, height, tags } = sample;
  // A key that is a path says too much of this machine, and is no part of a URL.
  const image = pictures && key ? `/images/${/^\d+$/.test(key) ? key : `hash/${hash}`}` : null;
  const further = Object.fromEntries(Object.entries(sample.further).map(([name, value]) => [name, typeof value === 'bigint' ? exact(value) : value]));
  return { id, hash: hash.toString(), score, url, caption, language, licence, similarity, width, height, tags, further, others, image };
}

/** As a number where JavaScript's numbers hold it, else as text. */
function exact(value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
}

async function describe({ name, index, encoder, pictures }: ServedIndex): Promise<IndexResponse> {
  const { description } = index;
  const [first] = await index.samples([0]);
  const present = modalities.filter((modality) => description.vectors[modality]);
  return {
    name,
    model: description.model.id || (encoder?.id ?? ''),
    encodes: encoder !== undefined,
    first: first ? first.hash.toString() : null,
    rows: description.rows,
    dimensions: description.dimensions,
    modalities: present,
    recall: Object.fromEntries(present.map((modality) => [modality, description.vectors[modality]!.recall?.at_10.mean ?? 1])),
    languages: description.languages,
    heads: description.heads,
    similarity: await index.knowsSimilarity(),
    pictures: pictures !== undefined,
  };
}
