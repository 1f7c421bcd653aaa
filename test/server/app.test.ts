import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IndexResponse, SearchResponse } from '../../src/contracts/search-api.ts';
import { allowedHosts } from '../../src/server/allowed-hosts.ts';
import { createApp } from '../../src/server/app.ts';
import { alwaysServed, openService, type SmallService, writeRun } from './small-service.ts';

let base: string;
let small: SmallService;
let app: Hono;
const warnings: string[] = [];

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-app-'));
  await writeRun(base);
  small = await openService(base);
  const page = new Map([['/', { bytes: new TextEncoder().encode('<!doctype html>'), type: 'text/html; charset=utf-8' }]]);
  app = createApp({ service: small.service, page, cors: [], allowsHost: allowedHosts('127.0.0.1', []), warn: (line) => warnings.push(line) });
});
afterAll(async () => {
  await small?.close();
  await rm(base, { recursive: true, force: true });
});

const request = (path: string, init: RequestInit = {}): Promise<Response> =>
  Promise.resolve(app.request(path, { ...init, headers: { host: 'localhost:1234', ...init.headers } }));
interface KnnResult {
  id: number;
  similarity: number;
}
const read = async <T>(response: Response | Promise<Response>): Promise<T> => (await (await response).json()) as T;
const knn = (body: unknown): Promise<Response> => request('/knn-service', { method: 'POST', body: JSON.stringify(body) });

/** What ClipClient sends (clip_client.py), nulls and all. */
const clientBody = {
  text: null,
  image: null,
  image_url: null,
  embedding_input: null,
  deduplicate: false,
  use_safety_model: false,
  use_violence_detector: false,
  indice_name: null,
  use_mclip: false,
  aesthetic_score: '',
  aesthetic_weight: '',
  modality: 'image',
  num_images: 3,
  num_result_ids: 5,
};

describe('/knn-service', () => {
  test('text: metadata for num_images results, then id and similarity only', async () => {
    const response = await knn({ ...clientBody, text: 'cherry and fig' });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(response.headers.get('x-pairmill-without-effect')).toBeNull();
    const text = await response.text();
    const results = JSON.parse(text) as Record<string, unknown>[];
    expect(results).toHaveLength(5);
    expect(results[0]).toMatchObject({ id: 21, url: 'http://host.test/21.jpg', caption: 'cherry <b>fig</b>', image_path: '000000021', LICENSE: null });
    expect(results[0]!['similarity']).toBeCloseTo(1, 2);
    expect(Object.keys(results[3]!)).toEqual(['id', 'similarity']);
    // All digits of the hash, as a JSON number.
    expect(text).toContain(`"hash":${2n ** 53n + 1n + 21n},`);
  });

  test('image in base64, an embedding, either modality', async () => {
    const image = await read<KnnResult[]>(knn({ ...clientBody, image: Buffer.from('grape date').toString('base64'), modality: 'text' }));
    expect(image.slice(0, 2).map(({ id }) => id)).toEqual([30, 51]);
    const embedding = await read<KnnResult[]>(knn({ ...clientBody, embedding_input: [1, 0, 0, 0, 0, 0, 0, 0] }));
    expect(embedding[0]!.id).toBe(0);
  });

  test('deduplicate keeps the first of near-duplicates', async () => {
    const ids = async (deduplicate: boolean): Promise<number[]> =>
      (await read<KnnResult[]>(knn({ ...clientBody, text: 'cherry fig', num_images: 4, num_result_ids: 4, deduplicate }))).map(({ id }) => id);
    // 21 is cherry fig, 42 fig cherry: the same picture.
    expect((await ids(false)).slice(0, 2)).toEqual([21, 42]);
    expect(await ids(true)).not.toContain(42);
  });

  test('the safety filter is applied before the search; options without a model are named', async () => {
    const response = await knn({
      ...clientBody,
      text: 'apple date',
      num_images: 10,
      num_result_ids: 10,
      use_safety_model: true,
      use_violence_detector: true,
      use_mclip: true,
      aesthetic_score: '9',
      aesthetic_weight: 0.5,
    });
    const ids = (await read<KnnResult[]>(response)).map(({ id }) => id);
    expect(ids).toHaveLength(10);
    expect(ids.filter((id) => id % 8 === 3)).toEqual([]);
    expect(response.headers.get('x-pairmill-without-effect')).toBe('use_mclip, use_violence_detector, aesthetic_score');
  });

  test.each([
    [{ ...clientBody }, 'One of text, image, image_url or embedding_input'],
    [{ ...clientBody, image_url: 'http://169.254.169.254/' }, 'unless it is started with --fetch-image-url'],
    [{ ...clientBody, text: 'x', modality: 'sound' }, 'modality'],
    [{ ...clientBody, embedding_input: [1] }, 'has 1 values'],
    [{ ...clientBody, embedding_input: [0, 0, 0, 0, 0, 0, 0, 0] }, 'is zero'],
    [{ ...clientBody, embedding_input: [1e-50, 0, 0, 0, 0, 0, 0, 0] }, 'is zero in float32'],
    [{ ...clientBody, embedding_input: [1, 1e39, 0, 0, 0, 0, 0, 0] }, 'has the value 1e+39 at 1, which is beyond float32'],
    [{ ...clientBody, embedding_input: [1, null, 0, 0, 0, 0, 0, 0] }, 'embedding_input.1'],
    [{ ...clientBody, image: Buffer.from('broken').toString('base64') }, "The picture can't be searched by: cut off."],
  ])('refused: %#', async (body, message) => {
    const response = await knn(body);
    expect(response.status).toBe(400);
    expect((await read<{ message: string }>(response)).message).toContain(message);
  });

  test('a number beyond a double is refused like one beyond float32', async () => {
    const body = JSON.stringify({ ...clientBody, embedding_input: [0, 0, 0, 0, 0, 0, 0, 0] }).replace('[0,', '[1e999,');
    const response = await request('/knn-service', { method: 'POST', body });
    expect([response.status, (await read<{ message: string }>(response)).message]).toEqual([400, expect.stringContaining('embedding_input.0') as string]);
  });

  test('the largest vector that float32 holds is searched by', async () => {
    expect((await read<KnnResult[]>(knn({ ...clientBody, embedding_input: [3e38, 0, 0, 0, 0, 0, 0, 0] })))[0]!.id).toBe(0);
  });

  test('fields that there are not are named', async () => {
    const response = await knn({ ...clientBody, text: 'fig', num_image: 3, 'ä b': 1 });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-pairmill-without-effect')).toBe('num_image, ??b');
  });

  test('an unknown index, and a body that is not JSON', async () => {
    expect((await knn({ ...clientBody, text: 'x', indice_name: 'laion5B' })).status).toBe(404);
    expect((await request('/knn-service', { method: 'POST', body: '{' })).status).toBe(400);
  });
});

test('the rest of clip-retrieval', async () => {
  expect(await (await request('/indices-list')).json()).toEqual(['small']);
  expect(await (await request('/config.json')).json()).toMatchObject({ defaultIndex: 'small', urlColumn: 'url' });
  const metadata = await (await request('/metadata', { method: 'POST', body: JSON.stringify({ ids: [5, 999, 2], indice_name: 'small' }) })).json();
  expect(metadata).toMatchObject([
    { id: 5, metadata: { url: 'http://host.test/5.jpg' } },
    { id: 2, metadata: { caption: 'apple <b>cherry</b>' } },
  ]);
  expect(await (await request('/metadata', { method: 'POST', body: '{"ids":[],"indice_name":"small"}' })).json()).toEqual([]);
  expect(await (await request('/metrics')).text()).toMatch(/full_knn_request_time_count [1-9]/);
});

describe('/api/v1', () => {
  const search = async (query: string, init?: RequestInit): Promise<SearchResponse> =>
    SearchResponse.parse(await (await request(`/api/v1/search?${query}`, init)).json());

  test('by text, hash as a string', async () => {
    const { results } = await search('text=honey+banana&k=2');
    expect(results).toHaveLength(2);
    expect(results[0]).toMatchObject({ id: 15, hash: String(2n ** 53n + 16n), caption: 'banana <b>honey</b>', language: 'en', image: '/images/000000015' });
    expect(results[0]!.tags['punsafe']).toBeCloseTo(0.1);
    // A whole number that JavaScript would round is text.
    expect(results[0]!.further).toEqual({ source: 'mine', views: String(2n ** 53n + 15n) });
  });

  test('like a sample, by a picture, with filters', async () => {
    expect((await search(`like=${2n ** 53n + 16n}&k=1`)).results[0]!.id).toBe(15);
    expect((await search('k=1', { method: 'POST', body: 'fig fig' })).results[0]!.id).toBe(45);
    const filtered = (await search('text=apple&k=50&language=de&min_similarity=0.33&max_tag=punsafe:0.5')).results;
    expect(filtered.map(({ language }) => language)).toEqual(filtered.map(() => 'de'));
    expect(filtered).toHaveLength(16);
  });

  test('distinct gives each picture once, and says how often it was there', async () => {
    const { results } = await search('text=cherry+fig&k=36&distinct=true');
    // 8 pictures of one word and 28 of two, which each come twice.
    expect(results).toHaveLength(36);
    expect(results[0]).toMatchObject({ id: 21, others: 1 });
    expect(results.reduce((sum, { others }) => sum + 1 + others, 0)).toBe(64);
  });

  test('what the index is', async () => {
    expect(IndexResponse.parse(await (await request('/api/v1/index')).json())).toMatchObject({
      name: 'small',
      rows: 64,
      model: 'mini',
      recall: { image: 1 },
      heads: ['punsafe'],
      similarity: true,
      pictures: true,
    });
    expect(await (await request(`/api/v1/samples/${2n ** 53n + 16n}`)).json()).toMatchObject({ id: 15 });
  });

  test.each(['', 'text=%20', 'text=a&k=0', 'text=a&k=many', 'text=a&min_similarity=high', 'like=1e9', 'text=a&max_tag=punsafe', 'text=a&modality=sound'])(
    'refused: ?%s',
    async (query) => {
      expect((await request(`/api/v1/search?${query}`)).status).toBe(400);
    },
  );

  test.each([
    ['like=9999999999999999999', /is no hash: that is a whole number from -2\^63 to 2\^63 - 1/],
    ['text=a&min_width=0.5', /min_width: must be a whole number of pixels/],
    ['text=a&min_height=-1', /min_height: must be a whole number of pixels/],
    ['text=a&min_width=1e300', /min_width: must be a whole number of pixels/],
    ['text=a&min_widht=5&q=b', /There is no parameter min_widht, q\. Those of a search are index, text, like/],
    ['text=a&max_tag=pflag:0.5', /The index has no tag pflag; it has punsafe/],
  ])('refused with a sentence: ?%s', async (query, message) => {
    const response = await request(`/api/v1/search?${query}`);
    expect([response.status, await response.json()]).toEqual([400, { message: expect.stringMatching(message) as string }]);
  });

  test.each(['/api/v1/samples/9999999999999999999', '/images/hash/-9999999999999999999'])('a hash beyond 64 bits: %s', async (path) => {
    expect((await request(path)).status).toBe(400);
  });

  test('an index of captions alone: these are searched unless pictures are asked for, which is refused', async () => {
    const { description } = small.served.index;
    const captions = { ...small.served.index, description: { ...description, vectors: { text: description.vectors.text! } } };
    const service = { ...small.service, indices: [alwaysServed({ ...small.served, index: captions })] };
    const alone = createApp({ service, page: new Map(), cors: [], allowsHost: () => true, warn: (line) => warnings.push(line) });
    expect(await (await alone.request('/api/v1/search?text=fig&k=1')).json()).toMatchObject({ modality: 'text', results: [{ id: 45 }] });
    for (const response of [
      await alone.request('/api/v1/search?text=fig&modality=image'),
      await alone.request('/knn-service', { method: 'POST', body: JSON.stringify({ ...clientBody, text: 'fig' }) }),
    ])
      expect([response.status, await response.json()]).toEqual([400, { message: expect.stringMatching(/no image vectors.*modality=text/) as string }]);
  });

  test('unknown samples', async () => {
    expect((await request('/api/v1/search?like=7')).status).toBe(404);
    expect((await request('/api/v1/samples/7')).status).toBe(404);
  });
});

describe('pictures', () => {
  test('out of the tar, as pictures and nothing else', async () => {
    for (const path of ['/images/000000009', `/images/hash/${2n ** 53n + 10n}`]) {
      const response = await request(path);
      expect(await response.text()).toBe('banana <b>banana</b>');
      expect(response.headers.get('content-type')).toBe('image/jpeg');
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    }
  });

  test.each(['/images/000000063', '/images/000990000', '/images/..%2f00000', '/images/0', '/images/hash/5'])('not there: %s', async (path) => {
    expect((await request(path)).status).toBe(404);
  });
});

describe('safety', () => {
  test('a Host header of another name is refused: DNS rebinding', async () => {
    expect((await request('/indices-list', { headers: { host: 'evil.test:1234' } })).status).toBe(403);
    expect((await app.request('/indices-list')).status).toBe(403);
    const open = allowedHosts('0.0.0.0', ['search.test']);
    expect(['10.0.0.5:80', '[fe80::1]:80', 'search.test', 'evil.test', undefined].map(open)).toEqual([true, true, true, false, false]);
    expect(['10.0.0.5', '127.0.0.1:1', '[::1]:1', 'LOCALHOST'].map(allowedHosts('127.0.0.1', []))).toEqual([false, true, true, true]);
  });

  test('a fault of ours is told to the log and not to the caller', async () => {
    const failing = createApp({
      service: {
        ...small.service,
        indices: [alwaysServed({ ...small.served, encoder: { ...small.served.encoder, encodeTexts: () => Promise.reject(new Error('secret')) } })],
      },
      page: new Map(),
      cors: [],
      allowsHost: () => true,
      warn: (line) => warnings.push(line),
    });
    const response = await failing.request('/api/v1/search?text=a');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
    expect(warnings.at(-1)).toContain('secret');
    expect(await (await failing.request('/')).text()).toContain('not built');
  });

  test('the page may run its own scripts only', async () => {
    const response = await request('/');
    expect(response.headers.get('content-type')).toContain('text/html');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect((await request('/package.json')).status).toBe(404);
  });
});

describe('pages of other origins', () => {
  const from = { origin: 'http://evil.test' };

  test.each(['/', '/indices-list', '/config.json', '/api/v1/index', '/api/v1/search?text=fig', '/images/000000009', '/metrics', '/nothing'])(
    'may not read %s, and no other name reaches it',
    async (path) => {
      const response = await request(path, { headers: from });
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      if (response.status === 200) expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin');
      for (const method of ['GET', 'POST', 'OPTIONS', 'HEAD']) expect((await app.request(path, { method, headers: { host: 'evil.test' } })).status).toBe(403);
    },
  );

  test('preflights are not answered', async () => {
    const response = await request('/knn-service', { method: 'OPTIONS', headers: { ...from, 'access-control-request-method': 'POST' } });
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([404, null]);
  });

  test('--cors lets in the origins that it names, or all; the Host check holds on', async () => {
    const allowed = async (cors: string[], origin: string): Promise<string | null> => {
      const open = createApp({ service: small.service, page: new Map(), cors, allowsHost: allowedHosts('127.0.0.1', []), warn: (line) => warnings.push(line) });
      expect((await open.request('/indices-list', { headers: { host: 'evil.test', origin } })).status).toBe(403);
      return (await open.request('/indices-list', { headers: { host: 'localhost', origin } })).headers.get('access-control-allow-origin');
    };
    expect(await allowed(['http://front.test:8080'], 'http://front.test:8080')).toBe('http://front.test:8080');
    expect(await allowed(['http://front.test:8080'], 'http://evil.test')).toBeNull();
    expect(await allowed(['*'], 'http://evil.test')).toBe('*');
  });
});
