// What the origin answers, URL by URL: written with the crawl, read by the origin.

import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export type Answer =
  /** A file under pictures/ ... */
  | { answer: 'file'; file: string; type: string; headers?: Record<string, string> }
  /** ... dripping, but complete within two seconds, */
  | { answer: 'slow'; file: string; type: string }
  /** ... stopping for ever part of the way, */
  | { answer: 'stalled'; file: string; type: string }
  /** ... or followed by bytes without end. */
  | { answer: 'endless'; file: string; type: string }
  | { answer: 'status'; status: number }
  | { answer: 'redirect'; status: number; location: string }
  | { answer: 'text'; type: string; body: string }
  /** A page, out of its WARC record. */
  | { answer: 'page'; warc: string; offset: number; length: number };

export type Route = { url: string } & Answer;

export const routesName = 'routes.jsonl';

export async function readRoutes(folder: string): Promise<Map<string, Answer>> {
  const routes = new Map<string, Answer>();
  const lines = createInterface({ input: createReadStream(join(folder, routesName)), crlfDelay: Infinity });
  for await (const line of lines) {
    const { url, ...answer } = JSON.parse(line) as Route;
    routes.set(url, answer);
  }
  return routes;
}
