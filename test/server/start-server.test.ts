import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '../../src/server/app.ts';
import { assertPortFree } from '../../src/server/assert-port-free.ts';
import { serveOptions } from '../../src/server/options.ts';
import { startServer } from '../../src/server/start-server.ts';
import { serve } from '@hono/node-server';
import { requirePythonFor } from '../python.ts';
import { openService, writeRun } from './small-service.ts';

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-serve-'));
  await writeRun(base);
});
afterAll(() => rm(base, { recursive: true, force: true }));

test.each(['localhost:8080', 'http://localhost:8080/', 'evil'])('--cors %s is no origin', async (cors) => {
  await expect(startServer(serveOptions.parse({ input: base, cors: [cors] }))).rejects.toThrow(`--cors ${cors} is no origin`);
});

test('a folder without an index, and a port in use', async () => {
  await expect(startServer(serveOptions.parse({ input: join(base, 'pairs') }))).rejects.toThrow(/holds no index.*--input/);
  const blocker = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => blocker.once('listening', resolve));
  const { port } = blocker.address() as { port: number };
  try {
    await expect(assertPortFree(port, '127.0.0.1')).rejects.toThrow(/in use.*--port/);
  } finally {
    blocker.close();
  }
  await assertPortFree(port, '127.0.0.1');
  await assertPortFree(0, '127.0.0.1');
});

/** clip-retrieval's own client, as pip installs it; loaded without the package, which would load torch. */
const client = `
import importlib.util, json, sys, base64
folder = importlib.util.find_spec("clip_retrieval").submodule_search_locations[0]
spec = importlib.util.spec_from_file_location("clip_client", folder + "/clip_client.py")
module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
client = module.ClipClient(url=sys.argv[1] + "/knn-service", indice_name="small", num_images=5)
text = client.query(text="cherry and fig")
image = client.query(image=sys.argv[2])
vector = client.query(embedding_input=[1, 0, 0, 0, 0, 0, 0, 0])
print(json.dumps([text, image, vector]))
`;

test("clip-retrieval's ClipClient works unmodified", async (context) => {
  const python = requirePythonFor(context, 'import importlib.util, requests; assert importlib.util.find_spec("clip_retrieval")', 'clip-retrieval');
  const { service, close } = await openService(base);
  const app = createApp({ service, page: new Map(), cors: [], allowsHost: () => true, warn: (line) => void expect.fail(line) });
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    // The file's content stands for a picture: the encoder of this test reads it as text.
    const picture = join(base, 'pairs', '..', 'picture.txt');
    await import('node:fs/promises').then(({ writeFile }) => writeFile(picture, 'honey honey'));
    const { stdout } = await promisify(execFile)(python, ['-c', client, `http://127.0.0.1:${port}`, picture]);
    const [text, image, vector] = JSON.parse(stdout) as { id: number; url: string; caption: string; similarity: number }[][];
    for (const results of [text!, image!, vector!]) {
      expect(results.length).toBeGreaterThan(0);
      for (const result of results) expect(Object.keys(result)).toEqual(expect.arrayContaining(['url', 'caption', 'similarity', 'id']));
    }
    expect([text![0]!.id, image![0]!.id, vector![0]!.id]).toEqual([21, 63, 0]);
  } finally {
    server.close();
    await close();
  }
});
