import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { hugePng } from '../../../src/demo/huge-png.ts';
import { startServer } from '../../net/loopback-server.ts';
import { rowsOf, runDownload, samplesOf, temporaryFolder, writeLinks } from './run-download.ts';

/** Servers that say one thing and send another, and pictures that are something else too. */

let jpeg: Buffer;
beforeAll(async () => {
  jpeg = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#888888', noise: { type: 'gaussian', mean: 128, sigma: 40 } } })
    .jpeg()
    .toBuffer();
});

interface Answer {
  body: Buffer;
  headers?: Record<string, string>;
}

/** Downloads an answer by each name: the reason under which it was dropped, or `packed`. */
async function fatesOf(answers: Record<string, Answer>, options: object = {}): Promise<{ fates: Record<string, string>; members: Buffer[] }> {
  const server = await startServer((request, response) => {
    const answer = answers[decodeURIComponent(request.url!.slice(1))];
    if (!answer) response.writeHead(404).end();
    else response.writeHead(200, answer.headers).end(answer.body);
  });
  const input = await writeLinks(
    join(await temporaryFolder(), 'links.parquet'),
    Object.keys(answers).map((name) => ({ url: `http://a.test/${name}`, text: name })),
  );
  const { output, rejects } = await runDownload(input, { connectTo: [`::127.0.0.1:${server.port}`], minBytes: 0, ...options });
  const reasons = new Map(rejects.map(({ text, reason, value }) => [text!, `${reason}: ${value}`]));
  const rows = await rowsOf(join(output, '00000.parquet'));
  expect(rows).toHaveLength(Object.keys(answers).length);
  return {
    fates: Object.fromEntries(rows.map(({ caption }) => [caption, reasons.get(caption) ?? 'packed'])),
    members: [...(await samplesOf(join(output, '00000.tar'))).values()].map((sample) => Buffer.from(sample.get('jpg')!)),
  };
}

/** A zip of one file, to be put behind a picture. */
function zip(name: string, content: string): Buffer {
  const packed = deflateRawSync(content);
  const local = Buffer.alloc(30);
  local.write('PK\u0003\u0004', 'latin1');
  local.writeUInt16LE(8, 8);
  local.writeUInt32LE(packed.length, 18);
  local.writeUInt32LE(content.length, 22);
  local.writeUInt16LE(name.length, 26);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 'latin1');
  return Buffer.concat([local, Buffer.from(name), packed, end]);
}

test('polyglots: nothing but the picture is packed, and what does not begin as one is none', async () => {
  const script = '<script>alert(document.domain)</script>';
  const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, 2 + script.length]), Buffer.from(script)]);
  const png = await sharp(jpeg).png().toBuffer();
  const { fates, members } = await fatesOf({
    'jpeg and zip': { body: Buffer.concat([jpeg, zip('evil.txt', 'secret content of the zip')]) },
    'jpeg and html': { body: Buffer.concat([jpeg.subarray(0, 2), comment, jpeg.subarray(2), Buffer.from(`<html>${script}</html>`)]) },
    'png and html': { body: Buffer.concat([png, Buffer.from(`<html>${script}</html>`)]) },
    'html before a jpeg': { body: Buffer.concat([Buffer.from('<html>'), jpeg]) },
    'zip before a jpeg': { body: Buffer.concat([zip('a.txt', 'a'), jpeg]) },
    'pdf and jpeg': { body: Buffer.concat([Buffer.from('%PDF-1.7\n'), jpeg]) },
  });
  expect(fates).toEqual({
    'jpeg and zip': 'packed',
    'jpeg and html': 'packed',
    'png and html': 'packed',
    'html before a jpeg': 'not-an-image: HTML',
    'zip before a jpeg': expect.stringMatching(/^not-an-image: /),
    'pdf and jpeg': expect.stringMatching(/^not-an-image: /),
  });
  for (const member of members) for (const trace of ['PK\u0003\u0004', 'script', 'secret', '<html>']) expect(member.includes(trace)).toBe(false);
});

test('the type that a server names does not matter, the bytes do', async () => {
  const { fates } = await fatesOf({
    'jpeg as html': { body: jpeg, headers: { 'content-type': 'text/html' } },
    'jpeg as gif': { body: jpeg, headers: { 'content-type': 'image/gif' } },
    'jpeg without type': { body: jpeg },
    'html as jpeg': { body: Buffer.from('<!doctype html><p>Gone'), headers: { 'content-type': 'image/jpeg' } },
    'svg as png': { body: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), headers: { 'content-type': 'image/png' } },
    'nothing as jpeg': { body: Buffer.alloc(0), headers: { 'content-type': 'image/jpeg' } },
  });
  expect(fates).toEqual({
    'jpeg as html': 'packed',
    'jpeg as gif': 'packed',
    'jpeg without type': 'packed',
    'html as jpeg': 'not-an-image: HTML',
    'svg as png': 'not-an-image: SVG',
    'nothing as jpeg': 'not-an-image: unknown',
  });
});

test('bombs: nothing is unpacked, and huge pictures are refused by their header', async () => {
  const { fates } = await fatesOf({
    // 100 MB of zeros in 100 KB: it was not asked for compressed, and is taken as it comes.
    'gzip body': { body: gzipSync(Buffer.alloc(100_000_000)), headers: { 'content-encoding': 'gzip', 'content-type': 'image/jpeg' } },
    'gzip of a jpeg': { body: gzipSync(jpeg), headers: { 'content-encoding': 'gzip' } },
    'huge png': { body: await hugePng(20_000, 20_000) },
  });
  expect(fates).toEqual({
    'gzip body': expect.stringMatching(/^not-an-image: /),
    'gzip of a jpeg': expect.stringMatching(/^not-an-image: /),
    'huge png': 'too-many-pixels: 400000000',
  });
});

test('animated pictures: of WebP and PNG the first frame, GIF is refused', async () => {
  const frame = (background: string) =>
    sharp({ create: { width: 64, height: 64, channels: 3, background } })
      .png()
      .toBuffer();
  const frames = sharp([await frame('#ff0000'), await frame('#0000ff')], { join: { animated: true } });
  const { fates, members } = await fatesOf({
    webp: { body: await frames.clone().webp({ lossless: true }).toBuffer() },
    gif: { body: await frames.clone().gif().toBuffer() },
    apng: { body: animatedPng(await frame('#ff0000'), await frame('#0000ff')) },
  });
  expect(fates).toEqual({ webp: 'packed', gif: 'not-an-image: GIF', apng: 'packed' });
  for (const member of members) {
    const { channels } = await sharp(member).stats();
    expect(channels[0]!.mean).toBeGreaterThan(240);
    expect(channels[2]!.mean).toBeLessThan(15);
  }
});

/** An APNG whose default picture is the first. */
function animatedPng(first: Buffer, second: Buffer): Buffer {
  const chunks = (png: Buffer): { type: string; data: Buffer }[] => {
    const found = [];
    for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
      found.push({ type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + png.readUInt32BE(at)) });
    return found;
  };
  const chunk = (type: string, data: Buffer): Buffer => {
    const bytes = Buffer.alloc(12 + data.length);
    bytes.writeUInt32BE(data.length);
    bytes.write(type, 4, 'latin1');
    data.copy(bytes, 8);
    bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
    return bytes;
  };
  const control = (sequence: number): Buffer => {
    const data = Buffer.alloc(26);
    for (const [i, value] of [sequence, 64, 64].entries()) data.writeUInt32BE(value, i * 4);
    data.writeUInt16BE(1, 20);
    data.writeUInt16BE(10, 22);
    return chunk('fcTL', data);
  };
  const number = (value: number): Buffer => Buffer.from([0, 0, 0, value]);
  const parts = chunks(first);
  const pixels = (png: Buffer): Buffer =>
    Buffer.concat(
      chunks(png)
        .filter(({ type }) => type === 'IDAT')
        .map(({ data }) => data),
    );
  return Buffer.concat([
    first.subarray(0, 8),
    chunk('IHDR', parts[0]!.data),
    chunk('acTL', Buffer.concat([number(2), number(0)])),
    control(0),
    chunk('IDAT', pixels(first)),
    control(1),
    chunk('fdAT', Buffer.concat([number(2), pixels(second)])),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

test('lengths that are not those of the body', async () => {
  const answers: Record<string, (body: Buffer) => Buffer[]> = {
    '/right': (body) => [Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`), body],
    // Waits for bytes that never come, closes before they do, has more than it says, says two lengths, and one that is none.
    '/too-long': (body) => [Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length + 1000}\r\n\r\n`), body],
    '/too-long-closed': (body) => [Buffer.from(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${body.length + 1000}\r\n\r\n`), body],
    '/too-short': (body) => [Buffer.from(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${body.length - 1000}\r\n\r\n`), body],
    '/two': (body) => [Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: ${body.length}\r\n\r\n`), body],
    '/none': (body) => [Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n'), body],
    '/no-http': () => [Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')],
  };
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (request) => {
      const path = /^GET (\S+)/.exec(request.toString('latin1'))![1]!;
      const answer = answers[path];
      if (!answer) socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
      else for (const part of answer(jpeg)) socket.write(part);
      if (path === '/too-long-closed' || path === '/too-short') socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const input = await writeLinks(
    join(await temporaryFolder(), 'links.parquet'),
    Object.keys(answers).map((path) => ({ url: `http://a.test${path}`, text: path })),
  );
  const connectTo = [`::127.0.0.1:${(server.address() as AddressInfo).port}`];
  const { rejects, summary } = await runDownload(input, { connectTo, minBytes: 0, idleTimeout: 0.3, hostConcurrency: 1 });
  expect(Object.fromEntries(rejects.map(({ text, reason }) => [text, reason]))).toEqual({
    '/too-long': 'timeout',
    '/too-long-closed': 'connection-failed',
    // Cut off where it says, or refused for what follows.
    '/too-short': expect.stringMatching(/^(decode|connection)-failed$/),
    '/two': 'connection-failed',
    '/none': 'connection-failed',
    '/no-http': 'connection-failed',
  });
  expect(summary).toMatchObject({ in: 7, out: 1 });
});
