// How the origin puts an answer on the wire, the misbehaving ones included.

import { readFile, open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Answer } from './routes.ts';

/** Sends the answer; a HEAD request gets the header alone. */
export type Send = (response: ServerResponse, answer: Answer, headOnly: boolean) => Promise<void>;

/** Pictures are asked for again and again under many URLs; beyond this many bytes they are read from disk. */
const cacheLimit = 96 * 1024 * 1024;

const drips = 6;
const dripPause = 180;
const endlessPiece = Buffer.alloc(256 * 1024, 0xa5);

function isGone(response: ServerResponse): boolean {
  return response.destroyed || response.writableEnded;
}

/** Resolves once the socket takes more, or is closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      response.off('drain', finish);
      response.off('close', finish);
      resolve();
    };
    response.on('drain', finish);
    response.on('close', finish);
    if (isGone(response)) finish();
  });
}

async function drip(response: ServerResponse, bytes: Buffer): Promise<void> {
  const size = Math.ceil(bytes.length / drips);
  for (let at = 0; at < bytes.length && !isGone(response); at += size) {
    if (at > 0) await sleep(dripPause);
    if (!isGone(response)) response.write(bytes.subarray(at, at + size));
  }
  if (!isGone(response)) response.end();
}

async function flood(response: ServerResponse, start: Buffer): Promise<void> {
  response.write(start);
  while (!isGone(response)) {
    if (!response.write(endlessPiece)) await drained(response);
  }
}

/** The body of the HTTP response in one gzip member of a WARC file. */
async function readPage(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const member = Buffer.alloc(length);
    await file.read(member, 0, length, offset);
    const record: Buffer = await promisify(gunzip)(member);
    const http = record.indexOf('\r\n\r\n') + 4;
    return record.subarray(record.indexOf('\r\n\r\n', http) + 4, record.length - 4);
  } finally {
    await file.close();
  }
}

function makeFileReader(folder: string): (file: string) => Promise<Buffer> {
  const cache = new Map<string, Buffer>();
  let cached = 0;
  return async (file) => {
    const known = cache.get(file);
    if (known !== undefined) return known;
    const bytes = await readFile(join(folder, file));
    if (cached + bytes.length <= cacheLimit && !cache.has(file)) {
      cache.set(file, bytes);
      cached += bytes.length;
    }
    return bytes;
  };
}

function sendBytes(response: ServerResponse, status: number, headers: Record<string, string>, body: Buffer, headOnly: boolean): void {
  response.writeHead(status, { ...headers, 'content-length': String(body.length) });
  response.end(headOnly ? undefined : body);
}

export function makeSender(folder: string): Send {
  const readPicture = makeFileReader(join(folder, 'pictures'));

  return async (response, answer, headOnly) => {
    switch (answer.answer) {
      case 'file':
        sendBytes(response, 200, { 'content-type': answer.type, ...answer.headers }, await readPicture(answer.file), headOnly);
        return;
      case 'text':
        sendBytes(response, 200, { 'content-type': answer.type }, Buffer.from(answer.body), headOnly);
        return;
      case 'page': {
        const body = await readPage(join(folder, 'warc', answer.warc), answer.offset, answer.length);
        sendBytes(response, 200, { 'content-type': 'text/html; charset=utf-8' }, body, headOnly);
        return;
      }
      case 'status':
        sendBytes(response, answer.status, { 'content-type': 'text/html; charset=utf-8' }, Buffer.from(`<h1>${answer.status}</h1>\n`), headOnly);
        return;
      case 'redirect':
        sendBytes(response, answer.status, { location: answer.location }, Buffer.alloc(0), headOnly);
        return;
      case 'slow':
      case 'stalled':
      case 'endless': {
        const bytes = await readPicture(answer.file);
        const length = answer.answer === 'endless' ? {} : { 'content-length': String(bytes.length) };
        response.writeHead(200, { 'content-type': answer.type, ...length });
        if (headOnly) response.end();
        else if (answer.answer === 'slow') await drip(response, bytes);
        else if (answer.answer === 'endless') await flood(response, bytes);
        // Stalled: half of it, and then nothing, until the client gives up.
        else response.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
      }
    }
  };
}
