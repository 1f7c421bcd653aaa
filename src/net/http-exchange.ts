import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { messageOf, systemCode } from '../contracts/errors.ts';
import type { Target } from './choose-address.ts';
import { type Deadlines, ExchangeClock } from './exchange-clock.ts';
import { FetchError } from './fetch-error.ts';
import { HttpsAgent } from './https-agent.ts';

/** Opens the connections of the agents; tests inject one that fails the test when it is called. */
export type Connect = (options: { host?: string; port?: number | string }) => Duplex;

export interface ExchangeOptions {
  headers: Readonly<Record<string, string>>;
  deadlines: Deadlines;
  /** Cap of the body. */
  maxBytes: number;
  /** True: a body over the cap is cut there. False: it is an error. */
  cut?: boolean;
}

export interface Exchange {
  status: number;
  /** Each header line by itself, names in lower case. */
  headers: Readonly<NodeJS.Dict<string[]>>;
  body: Buffer;
}

/** Body bytes of an error or a redirect that are read so that the connection can be used again. */
const MAX_IGNORED_BYTES = 16 * 1024;
/** A body whose length the server says is read into one buffer of that length; with a longer one it has to show first that it has as much. */
const MAX_TRUSTED_BYTES = 1024 * 1024;
/** Idle connections kept: hosts are many and come once, so most are of no further use. */
const MAX_IDLE_SOCKETS = 256;
const IDLE_MS = 15_000;
/** One of several addresses gets at least this long, ms. */
const SHORTEST_TRY_MS = 250;

/**
 * One GET to a checked address. node:http and node:https: measured fastest for new TLS connections, which is what a
 * crawl makes. No proxy, no cookies, no credentials, no decompression, no redirects.
 */
export class HttpExchanger {
  readonly #kept: Agents;
  /** Of connections that serve one request. */
  readonly #fresh: Agents;

  constructor({ ignoreCertificates = false, connect }: { ignoreCertificates?: boolean; connect?: Connect | undefined } = {}) {
    const make = (options: http.AgentOptions): Agents => {
      const agents = { http: new http.Agent(options), https: new HttpsAgent({ ...options, rejectUnauthorized: !ignoreCertificates }) };
      if (connect) for (const agent of Object.values(agents)) agent.createConnection = connect;
      return agents;
    };
    this.#kept = make({ keepAlive: true, maxFreeSockets: MAX_IDLE_SOCKETS, timeout: IDLE_MS });
    this.#fresh = make({ keepAlive: false });
  }

  /** Throws FetchError `timeout`, `connection-failed` or `body-too-large`. The body of a status that is not 2xx is cut short. */
  async get(url: URL, target: Target, options: ExchangeOptions): Promise<Exchange> {
    const started = performance.now();
    try {
      return await this.#attempt(url, target, options, false);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      // The server closed an idle connection just as it was used again: nothing is wrong with the URL.
      const totalMs = options.deadlines.totalMs - (performance.now() - started);
      return this.#attempt(url, target, { ...options, deadlines: { ...options.deadlines, totalMs } }, true);
    }
  }

  #attempt(url: URL, target: Target, options: ExchangeOptions, fresh: boolean): Promise<Exchange> {
    const secure = url.protocol === 'https:';
    const agents = fresh ? this.#fresh : this.#kept;
    return new Promise<Exchange>((resolve, reject) => {
      const request = open(() =>
        (secure ? https : http).request({
          agent: secure ? agents.https : agents.http,
          ...connectionOf(target, options.deadlines.connectMs),
          path: url.pathname + url.search,
          headers: { host: url.host, ...options.headers },
          ...(secure ? { servername: url.hostname.startsWith('[') || /^[\d.]+$/.test(url.hostname) ? '' : url.hostname } : {}),
        }),
      );
      const fail = (error: Error): void => {
        clock.stop();
        reject(error);
        request.destroy();
      };
      const clock = new ExchangeClock(options.deadlines, fail);
      let answered = false;
      request.on('socket', (socket) => {
        if (request.reusedSocket) clock.connected();
        else socket.once(secure ? 'secureConnect' : 'connect', () => clock.connected());
      });
      request.on('error', (error) => {
        const code = systemCode(error) ?? '';
        const stale = request.reusedSocket && !answered && ['ECONNRESET', 'EPIPE'].includes(code);
        fail(stale ? new StaleConnection() : new FetchError('connection-failed', code || messageOf(error), { cause: error, heals: !PERMANENT.test(code) }));
      });
      request.on('response', (response) => {
        answered = true;
        clock.receives();
        response.on('data', () => clock.receives());
        readBody(response, options, (error, exchange) => {
          if (error) return fail(error);
          clock.stop();
          resolve(exchange!);
          // Where the body was cut, the rest is not waited for.
          if (!response.complete) request.destroy();
        });
      });
      request.end();
    });
  }

  /** Ends the idle connections, and those in use with an error. */
  close(): void {
    for (const agent of [...Object.values(this.#kept), ...Object.values(this.#fresh)]) agent.destroy();
  }
}

type Agents = Record<'http' | 'https', http.Agent>;

class StaleConnection extends Error {}

/** Codes of what is the same a moment later: certificates, TLS that does not fit, answers that are no HTTP. */
const PERMANENT = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL|EPROTO|^HPE_|HOSTNAME_MISMATCH/;

/**
 * Where Node connects to. One address is given as it is, so that nothing is looked up and hosts of one address share connections.
 * Several go through Node's own way of trying all, each for its part of the time (RFC 8305).
 */
function connectionOf({ addresses, port }: Target, connectMs: number): http.RequestOptions {
  if (addresses.length === 1) return { host: addresses[0]!, port };
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  const lookup: LookupFunction = (_host, { all: every }, done) => (every ? done(null, all) : done(null, all[0]!.address, all[0]!.family));
  // The name is that of the addresses: connections are shared by it.
  return {
    host: addresses.join(' '),
    port,
    lookup,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: Math.max(SHORTEST_TRY_MS, Math.floor(connectMs / addresses.length)),
  } as http.RequestOptions;
}

/** Node throws at once where a path or header has characters that HTTP does not allow. */
function open(request: () => http.ClientRequest): http.ClientRequest {
  try {
    return request();
  } catch (cause) {
    throw new FetchError('url-invalid', messageOf(cause), { cause });
  }
}

function readBody(
  response: http.IncomingMessage,
  { maxBytes, cut = false }: ExchangeOptions,
  done: (error: Error | undefined, exchange?: Exchange) => void,
): void {
  const status = response.statusCode!;
  const wanted = status >= 200 && status <= 299;
  const cap = wanted ? maxBytes : MAX_IGNORED_BYTES;
  const declared = Number(response.headers['content-length']);
  const whole = declared > 0 && declared <= Math.min(cap, MAX_TRUSTED_BYTES) ? Buffer.allocUnsafeSlow(declared) : undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  let ended = false;
  const end = (error?: Error): void => {
    if (ended) return;
    ended = true;
    response.removeAllListeners('data');
    if (error) done(error);
    else
      done(undefined, {
        status,
        headers: response.headersDistinct,
        body: whole?.subarray(0, size) ?? (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)),
      });
  };
  const overCap = (bytes: string): void => end(!wanted || cut ? undefined : new FetchError('body-too-large', bytes, { threshold: String(maxBytes) }));

  if (declared > cap && !cut) return overCap(String(declared));
  response.on('data', (chunk: Buffer) => {
    // Node's parser lets no more through than the length that was declared.
    if (whole) chunk.copy(whole, size);
    size += chunk.byteLength;
    if (whole) return;
    if (size > cap) {
      chunks.push(chunk.subarray(0, chunk.byteLength - (size - cap)));
      overCap(`more than ${cap}`);
    } else chunks.push(chunk);
  });
  response.on('end', () => end());
  // The connection ended before the body did. An error or redirect without its whole body is still one.
  response.on('error', (error) =>
    end(wanted ? new FetchError('connection-failed', `body cut short: ${systemCode(error) ?? messageOf(error)}`, { cause: error }) : undefined),
  );
  response.on('close', () => end(wanted && !response.complete ? new FetchError('connection-failed', 'body cut short') : undefined));
}
