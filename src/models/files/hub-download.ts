import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, RunError } from '../../contracts/errors.ts';
import { type FileChecksum, fileChecksum } from './file-checksum.ts';

/**
 * Downloads one file of a hub repository: `GET HUB/{repository}/resolve/{revision}/{file}`. A part that an earlier try
 * left is continued by a Range request; the whole is checked against the hub's checksum before it gets its name.
 * The hub names the sha256 of large files in `x-linked-etag`, and of small ones Git's blob hash in `etag`.
 */

const ATTEMPTS = 4;
const MAX_REDIRECTS = 5;
/** Before the second, third, … try. */
const RETRY_DELAY_MS = 500;
const REFUSED = [401, 403, 404, 410];

export interface HubFile {
  hubUrl: string;
  repository: string;
  revision: string;
  file: string;
  token?: string | undefined;
}

/** A file that the hub did not give. */
export class DownloadError extends RunError {}

/** Where the hub has a file. */
export function hubAddress({ hubUrl, repository, revision, file }: HubFile): string {
  return `${hubUrl.replace(/\/+$/, '')}/${repository}/resolve/${revision}/${file}`;
}

/** Returns what the file's content is. Throws RunError naming file and next step. */
export async function downloadFromHub(hubFile: HubFile, path: string, retryDelayMs = RETRY_DELAY_MS): Promise<FileChecksum> {
  const url = hubAddress(hubFile);
  const part = `${path}.part`;
  await mkdir(dirname(path), { recursive: true });
  let last: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, retryDelayMs * 2 ** (attempt - 1)));
    let expected: string | undefined;
    try {
      expected = await fetchInto(url, part, hubFile.token);
    } catch (error) {
      if (error instanceof RunError) throw error;
      last = error;
      continue;
    }
    const checksum = await fileChecksum(part);
    if (!expected || expected === checksum.sha256 || expected === checksum.gitBlob) {
      await rename(part, path);
      return checksum;
    }
    // Not to be continued: the damage may be at its start.
    await rm(part, { force: true });
    last = new Error(`its checksum is ${checksum.sha256} where the hub names ${expected}`);
  }
  throw new DownloadError(
    `The model file ${hubFile.file} could not be downloaded from ${url}: ${reason(last)}. Start the same command again (what was fetched is kept), give another --hub-url, or name a local folder as the model.`,
    { cause: last },
  );
}

/** Fetches into `part`, after what it holds already; returns the checksum that the hub names, if it names one. */
async function fetchInto(url: string, part: string, token: string | undefined): Promise<string | undefined> {
  let have = await sizeOf(part);
  let { response, checksum, size } = await request(url, have, token);
  if (response.status === 416 || (have > 0 && size !== undefined && have > size)) {
    // The part is no beginning of this file, or is all of it already.
    await response.body?.cancel();
    if (have === size) return checksum;
    await rm(part, { force: true });
    have = 0;
    ({ response, checksum, size } = await request(url, 0, token));
  }
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    if (!REFUSED.includes(response.status)) throw new Error(`the hub answered ${response.status}`);
    const gated =
      response.status === 401 || response.status === 403
        ? ' If the model needs an access token, `pairmill models pull` takes it as --hub-token, or from PAIRMILL_HUB_TOKEN.'
        : '';
    throw new DownloadError(
      `The model file ${url} could not be downloaded: the hub answered ${response.status}. Check the name and --hub-url, or name a local folder as the model.${gated}`,
    );
  }
  const append = response.status === 206;
  await pipeline(Readable.fromWeb(response.body), createWriteStream(part, { flags: append ? 'a' : 'w' }));
  const got = await sizeOf(part);
  if (size !== undefined && got !== size) throw new Error(`the connection ended after ${got} of ${size} bytes`);
  return checksum;
}

interface HubResponse {
  response: Response;
  checksum: string | undefined;
  /** Bytes of the whole file. */
  size: number | undefined;
}

/** Follows redirects by hand: the first answer, before the redirect to the storage, names the checksum. */
async function request(url: string, from: number, token: string | undefined): Promise<HubResponse> {
  let checksum: string | undefined;
  let size: number | undefined;
  let target = url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await fetch(target, {
      redirect: 'manual',
      headers: {
        'user-agent': 'pairmill',
        'accept-encoding': 'identity',
        ...(from > 0 && { range: `bytes=${from}-` }),
        // For the hub alone: the storage that it leads to has an address that was signed for this request.
        ...(token !== undefined && new URL(target).origin === new URL(url).origin && { authorization: `Bearer ${token}` }),
      },
    });
    const { headers } = response;
    checksum ??= hexTag(headers.get('x-linked-etag')) ?? (response.ok ? hexTag(headers.get('etag')) : undefined);
    const linked = headers.get('x-linked-size');
    if (linked) size ??= Number(linked);
    const location = headers.get('location');
    if (response.status >= 300 && response.status < 400 && location) {
      await response.body?.cancel();
      target = new URL(location, target).href;
      continue;
    }
    const total = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] ?? (response.status === 200 ? headers.get('content-length') : undefined);
    if (total) size ??= Number(total);
    return { response, checksum, size };
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}

/** A sha256 or sha1 in an entity tag; other tags say nothing of the content. */
function hexTag(tag: string | null): string | undefined {
  return /^(?:W\/)?"?([0-9a-f]{64}|[0-9a-f]{40})"?$/.exec(tag ?? '')?.[1];
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

/** fetch hides what happened (ECONNREFUSED, …) in `cause`. */
function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause ? `${messageOf(error)} (${messageOf(cause)})` : messageOf(error);
}
