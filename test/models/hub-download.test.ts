import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { downloadFromHub as download, type HubFile } from '../../src/models/files/hub-download.ts';
import { modelChecksums } from '../../src/models/load-model.ts';
import { modelFiles, presentFiles } from '../../src/models/model-files.ts';
import { registry } from '../../src/models/registry.ts';
import { LoopbackHub } from './loopback-hub.ts';

let hub: LoopbackHub;
let folder: string;
beforeEach(async () => {
  hub = new LoopbackHub();
  await hub.start();
  folder = await mkdtemp(join(tmpdir(), 'hub-'));
});
afterEach(async () => {
  await hub.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Retries without the wait. */
const downloadFromHub = (hubFile: HubFile, path: string): ReturnType<typeof download> => download(hubFile, path, 1);

const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3));
const file = (name: string): HubFile => ({ hubUrl: hub.url, repository: 'some/model', revision: 'main', file: name });

describe('a download from the hub', () => {
  test('follows the redirect, checks the checksum and leaves only the file', async () => {
    hub.files.set('onnx/vision_model.onnx', weights).set('tokenizer.json', Buffer.from('{}'));
    const path = join(folder, 'onnx/vision_model.onnx');
    const checksum = await downloadFromHub(file('onnx/vision_model.onnx'), path);
    expect(checksum.sha256).toBe(createHash('sha256').update(weights).digest('hex'));
    expect((await readFile(path)).equals(weights)).toBe(true);
    await downloadFromHub(file('tokenizer.json'), join(folder, 'onnx/tokenizer.json'));
    expect((await readdir(join(folder, 'onnx'))).sort()).toEqual(['tokenizer.json', 'vision_model.onnx']);
    expect(hub.requests).toEqual([
      '/some/model/resolve/main/onnx/vision_model.onnx',
      '/storage/onnx/vision_model.onnx',
      '/some/model/resolve/main/tokenizer.json',
    ]);
  });

  test('goes on where the connection broke', async () => {
    hub.files.set('vision_model.onnx', weights);
    hub.breakAfter = [100_000];
    const path = join(folder, 'vision_model.onnx');
    await downloadFromHub(file('vision_model.onnx'), path);
    expect((await readFile(path)).equals(weights)).toBe(true);
    expect(hub.requests.filter((request) => request.startsWith('/storage'))).toEqual([
      '/storage/vision_model.onnx',
      expect.stringMatching(/ bytes=\d+-$/) as string,
    ]);
  });

  test('goes on with what an earlier process left, also where that was all of it', async () => {
    hub.files.set('vision_model.onnx', weights);
    for (const left of [150_000, weights.length]) {
      const path = join(folder, `${left}.onnx`);
      await writeFile(`${path}.part`, weights.subarray(0, left));
      hub.requests.length = 0;
      await downloadFromHub(file('vision_model.onnx'), path);
      expect((await readFile(path)).equals(weights)).toBe(true);
      expect(hub.requests.at(-1)).toBe(`/storage/vision_model.onnx bytes=${left}-`);
    }
  });

  test('damaged content is fetched again from its start, and refused where it stays damaged', async () => {
    hub.files.set('vision_model.onnx', weights).set('config.json', Buffer.from('{"a": 1}'));
    hub.corrupt = 1;
    const path = join(folder, 'vision_model.onnx');
    await downloadFromHub(file('vision_model.onnx'), path);
    expect((await readFile(path)).equals(weights)).toBe(true);
    // Small files are checked by Git's blob hash.
    hub.corrupt = 99;
    await expect(downloadFromHub(file('config.json'), join(folder, 'config.json'))).rejects.toThrow(
      /model file config\.json could not be downloaded from http.*checksum is [0-9a-f]{64} where the hub names [0-9a-f]{40}.*name a local folder as the model/s,
    );
    expect(await readdir(folder)).toEqual(['vision_model.onnx']);
  });

  test('what is not there, and a hub that is not there', async () => {
    await expect(downloadFromHub(file('config.json'), join(folder, 'config.json'))).rejects.toThrow(/the hub answered 404\. Check the name and --hub-url/);
    expect(hub.requests).toHaveLength(1);
    await expect(downloadFromHub({ ...file('x'), hubUrl: 'http://127.0.0.1:9' }, join(folder, 'x'))).rejects.toThrow(
      /could not be downloaded from http:\/\/127\.0\.0\.1:9\/.*fetch failed/,
    );
  });
});

describe('the cache of models', () => {
  const entry = registry.find(({ id }) => id === 'clip-vit-b-32')!;

  test('fetches each file once, external weights too, and finds a changed one out', async () => {
    const external = await readFile(new URL('fixtures/fixed-text.onnx', import.meta.url));
    hub.files
      .set('onnx/vision_model.onnx', weights)
      .set('onnx/text_model.onnx', external)
      .set('onnx/fixed-text.onnx_data', Buffer.from('weights'))
      .set('tokenizer.json', Buffer.from('{}'));
    const settings = { cacheFolder: folder, hubUrl: hub.url, threads: 1 };
    const first = await modelFiles(entry, settings);
    expect(Object.keys(first.checksums).sort()).toEqual([
      'clip-vit-b-32/onnx/fixed-text.onnx_data',
      'clip-vit-b-32/onnx/text_model.onnx',
      'clip-vit-b-32/onnx/vision_model.onnx',
      'clip-vit-b-32/tokenizer.json',
    ]);
    const requests = hub.requests.length;
    expect(await modelFiles(entry, settings)).toEqual(first);
    // Touched but the same: read again, not fetched again.
    await utimes(first.vision, 1, 1);
    expect(await modelFiles(entry, settings)).toEqual(first);
    expect(hub.requests).toHaveLength(requests);

    const damaged = Buffer.from(weights);
    damaged[5]! ^= 1;
    await writeFile(first.vision, damaged);
    await expect(modelFiles(entry, settings)).rejects.toThrow(/vision_model\.onnx is damaged.*Remove it and start the same command again/);
    await writeFile(first.vision, weights.subarray(0, 10));
    await expect(modelFiles(entry, settings)).rejects.toThrow(/it has 10 bytes where 300000 bytes is expected/);
    await rm(first.vision);
    expect(await modelFiles(entry, settings)).toEqual(first);
    expect((await stat(first.vision)).size).toBe(weights.length);
  });
});

describe('without the hub', () => {
  test('one message says which files to put where; put there, they are taken', async () => {
    const entry = registry.find(({ id }) => id === 'mclip-vit-b-32')!;
    const settings = { cacheFolder: folder, hubUrl: 'http://127.0.0.1:9' };
    const failure = (await modelFiles(entry, settings).catch((error: unknown) => error)) as Error;
    const places = [
      'Xenova/clip-vit-base-patch32/resolve/main/onnx/vision_model.onnx -> FOLDER/Xenova/clip-vit-base-patch32/main/onnx/vision_model.onnx',
      'sentence-transformers/clip-ViT-B-32-multilingual-v1/resolve/main/2_Dense/model.safetensors -> FOLDER/sentence-transformers/clip-ViT-B-32-multilingual-v1/main/2_Dense/model.safetensors',
    ];
    for (const place of places) expect(failure.message.replaceAll(folder, 'FOLDER')).toContain(`  http://127.0.0.1:9/${place}\n`);
    const both = (await modelChecksums(['clip-vit-b-32', 'mclip-vit-b-32'], { ...settings, hubUrl: hub.url }).catch((error: unknown) => error)) as Error;
    expect(both.message).toMatch(/the models clip-vit-b-32 and mclip-vit-b-32 work where.*`pairmill models verify clip-vit-b-32 mclip-vit-b-32` says/s);
    // The picture tower is the same.
    expect(both.message.match(/^  /gm)).toHaveLength(6);
    expect(failure.message).toMatch(/could not be downloaded.*put by hand.*`pairmill models verify mclip-vit-b-32` says/s);
    for (const path of (await presentFiles(entry, settings)).missing) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, 'by hand');
    }
    expect(Object.keys((await modelFiles(entry, settings)).checksums)).toHaveLength(4);
  }, 20_000);

  test('the access token goes to the hub and not to the storage that it leads to', async () => {
    hub.files.set('vision_model.onnx', weights);
    hub.storage = hub.url.replace('127.0.0.1', 'localhost');
    await downloadFromHub({ ...file('vision_model.onnx'), token: 'secret' }, join(folder, 'vision_model.onnx'));
    expect(hub.tokens).toEqual(['Bearer secret', undefined]);
  });
});
