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
  app = createApp({ service: small.service, page, allowsHost: allowedHosts('127.0.0.1', []), warn: (line) => warnings.push(line) });
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
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
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
    [{ ...clientBody }, 'One of text, image or embedding_input'],
    [{ ...clientBody, image_url: 'http://169.254.169.254/' }, 'does not fetch image_url'],
    [{ ...clientBody, text: 'x', modality: 'sound' }, 'modality'],
    [{ ...clientBody, embedding_input: [1] }, 'has 1 values'],
    [{ ...clientBody, image: Buffer.from('broken').toString('base64') }, "can't be decoded"],
  ])('refused: %#', async (body, message) => {
    const response = await knn(body);
    expect(response.status).toBe(400);
    expect((await read<{ message: string }>(response)).message).toContain(message);
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
