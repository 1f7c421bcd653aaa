import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { parseAllowedAddresses } from '../../src/net/allowed-addresses.ts';
import { parseConnectTo } from '../../src/net/connect-to.ts';
import type { AddressResolver } from '../../src/net/dns-cache.ts';
import { FetchError } from '../../src/net/fetch-error.ts';
import type { NetworkPorts } from '../../src/net/polite-client.ts';
import { startServer } from './loopback-server.ts';
import { makeClient, reasonOf, resolvesTo } from './make-client.ts';

/** Nothing may be connected to: a test that gets here fails. */
const refuseToConnect: NetworkPorts['connect'] = (options) => {
  throw new Error(`connected to ${options.host}:${options.port}`);
};

describe('addresses', () => {
  test('--allow-address lets private ones in, and no others', async () => {
    const server = await startServer((_request, response) => void response.end('picture'));
    const client = makeClient({ allowedAddresses: parseAllowedAddresses(['127.0.0.0/8', '10.1.2.3', 'fd00::/8']) });
    expect(await reasonOf(client.get(`http://127.0.0.1:${server.port}/a.jpg`))).toBe('fetched');
    for (const url of ['http://10.1.2.4/a.jpg', 'http://192.168.1.1/a.jpg', 'http://[::1]/a.jpg', 'http://169.254.169.254/'])
      expect(await reasonOf(client.get(url)), url).toBe('private-address');
  });

  test.each(['10.0.0.0/33', '10.0.0', 'localhost', '10.0.0.0/8/8', 'fd00::/x', '10.0.0.0/'])('--allow-address %s is refused', (text) => {
    expect(() => parseAllowedAddresses([text])).toThrow(`--allow-address ${text} is neither an IP address nor a range of them`);
  });

  test.each([
    'http://127.0.0.1/a.jpg',
    'http://2130706433/a.jpg',
    'http://0x7f000001/',
    'http://[::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://10.1.2.3:8080/',
    'http://localhost/',
    'http://foo.localhost./',
    'https://192.168.0.1/',
  ])('%s is refused without a connection', async (url) => {
    expect(await reasonOf(makeClient({ obeyRobots: true }, { connect: refuseToConnect, resolver: resolvesTo('8.8.8.8') }).get(url))).toBe('private-address');
  });

  test.each([['10.0.0.1'], ['::1'], ['169.254.169.254'], ['8.8.8.8', '127.0.0.1'], ['8.8.8.8', 'fe80::1']])(
    'a name of %s is refused after resolution',
    async (...addresses) => {
      const client = makeClient({ obeyRobots: true }, { connect: refuseToConnect, resolver: resolvesTo(...addresses), hosts: new Map() });
      expect(await reasonOf(client.get('http://rebind.test/a.jpg'))).toBe('private-address');
    },
  );

  test('the connection goes to the address that was checked', async () => {
    const connected: unknown[] = [];
    let asked = 0;
    // A second look-up would give a private address (DNS rebinding).
    const resolver: AddressResolver = { resolve4: async () => [{ address: ++asked === 1 ? '8.8.8.8' : '127.0.0.1', ttl: 0 }], resolve6: async () => [] };
    const client = makeClient(
      {},
      {
        resolver,
        hosts: new Map(),
        connect: ({ host, port }) => {
          connected.push([host, port]);
          throw new FetchError('connection-failed', 'end of test');
        },
      },
    );
    await reasonOf(client.get('http://rebind.test/a.jpg'));
    expect(connected).toEqual([['8.8.8.8', 80]]);
    expect(asked).toBe(1);
  });

  test('a redirect to a private address is refused before it is followed', async () => {
    const server = await startServer((request, response) => {
      response.writeHead(302, { location: request.url === '/name' ? 'http://inside.test/' : 'http://127.0.0.1:9/secret' }).end();
    });
    const client = makeClient(
      { connectTo: [parseConnectTo(`outside.test::127.0.0.1:${server.port}`)] },
      { resolver: resolvesTo('192.168.1.1'), hosts: new Map() },
    );
    expect(await reasonOf(client.get('http://outside.test/literal'))).toBe('private-address');
    expect(await reasonOf(client.get('http://outside.test/name'))).toBe('private-address');
    expect(server.requests).toHaveLength(2);
  });

  test('a rule for any host does not open a private address that the URL names; a rule for that host does', async () => {
    const server = await startServer((_request, response) => void response.end('picture'));
    const any = makeClient({ port: server.port });
    expect(await reasonOf(any.get('http://10.0.0.1/a.jpg'))).toBe('private-address');
    expect(await reasonOf(any.get('http://localhost/a.jpg'))).toBe('private-address');
    const named = makeClient({ connectTo: [parseConnectTo(`10.0.0.1:80:127.0.0.1:${server.port}`)] });
    expect((await named.get('http://10.0.0.1/a.jpg')).body.toString()).toBe('picture');
  });

  test('names that do not resolve, and URLs that are none', async () => {
    const resolver: AddressResolver = { resolve4: () => Promise.reject(new Error('no')), resolve6: () => Promise.reject(new Error('no')) };
    const client = makeClient({}, { connect: refuseToConnect, resolver, hosts: new Map() });
    expect(await reasonOf(client.get('http://none.test/'))).toBe('dns-failed');
    for (const url of ['not a url', 'ftp://a.test/', 'file:///etc/passwd', 'http://', 'data:image/png;base64,AA=='])
      expect(await reasonOf(client.get(url))).toBe('url-invalid');
  });
});

describe('answers', () => {
  test('sends what it says, follows redirects, and gives the last URL', async () => {
    let sent: NodeJS.Dict<string | string[]> = {};
    const server = await startServer((request, response) => {
      if (request.url === '/from') response.writeHead(301, { location: '/to?x=1' }).end();
      else {
        sent = request.headers;
        response.end('picture');
      }
    });
    const { body, url } = await makeClient({ port: server.port }).get('http://a.test/from#fragment');
    expect(body.toString()).toBe('picture');
    expect(url).toBe('http://a.test/to?x=1');
    expect(sent).toMatchObject({ host: 'a.test', 'user-agent': 'pairmill/test', 'accept-encoding': 'identity', accept: 'image/*' });
    expect(Object.keys(sent).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host', 'user-agent']);
  });

  test.each([
    [404, 'http-not-found'],
    [410, 'http-not-found'],
    [403, 'http-forbidden'],
    [401, 'http-forbidden'],
    [451, 'http-forbidden'],
    [429, 'http-too-many-requests'],
    [500, 'http-server-error'],
    [503, 'http-server-error'],
    [418, 'http-error'],
    [302, 'http-error'],
  ])('HTTP %i is %s', async (status, reason) => {
    const server = await startServer((_request, response) => void response.writeHead(status).end('x'.repeat(100_000)));
    expect(await reasonOf(makeClient({ port: server.port }).get('http://a.test/'))).toBe(reason);
  });

  test('opt-out headers', async () => {
    const server = await startServer((request, response) => {
      if (request.url === '/two') response.setHeader('X-Robots-Tag', ['otherbot: noindex', 'noimageai']);
      if (request.url === '/other') response.setHeader('X-Robots-Tag', 'otherbot: noai');
      if (request.url === '/tdm') response.setHeader('tdm-reservation', '1');
      if (request.url === '/tdm0') response.setHeader('TDM-Reservation', '0');
      response.end('picture');
    });
    const client = makeClient({ port: server.port });
    expect(await reasonOf(client.get('http://a.test/two'))).toBe('x-robots-tag');
    expect(await reasonOf(client.get('http://a.test/other'))).toBe('fetched');
    expect(await reasonOf(client.get('http://a.test/tdm'))).toBe('tdm-reservation');
    expect(await reasonOf(client.get('http://a.test/tdm0'))).toBe('fetched');
    const careless = makeClient({ port: server.port, disallowedDirectives: [], obeyTdmReservation: false });
    expect(await reasonOf(careless.get('http://a.test/two'))).toBe('fetched');
    expect(await reasonOf(careless.get('http://a.test/tdm'))).toBe('fetched');
  });

  test('redirect loops end', async () => {
    const server = await startServer((request, response) => void response.writeHead(302, { location: request.url === '/a' ? '/b' : '/a' }).end());
    expect(await reasonOf(makeClient({ port: server.port }).get('http://a.test/a'))).toBe('redirect-loop');
    expect(server.requests).toHaveLength(6);
  });

  test('redirects to what is no http URL', async () => {
    const server = await startServer((_request, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end());
    expect(await reasonOf(makeClient({ port: server.port }).get('http://a.test/a'))).toBe('url-invalid');
  });

  test('the byte cap holds for declared and for endless bodies', async () => {
    let sent = 0;
    const server = await startServer((request, response) => {
      if (request.url === '/declared') response.setHeader('content-length', 1_000_000);
      const more = (): void => {
        if (response.destroyed) return;
        sent += 10_000;
        response.write(Buffer.alloc(10_000), () => setImmediate(more));
      };
      more();
    });
    const client = makeClient({ port: server.port });
    expect(await reasonOf(client.get('http://a.test/declared'))).toBe('body-too-large');
    sent = 0;
    expect(await reasonOf(client.get('http://a.test/endless'))).toBe('body-too-large');
    expect(sent).toBeLessThan(5_000_000);
  });

  test('a body that drips is kept, one that stalls is a timeout: the deadline is for the whole', async () => {
    const server = await startServer(async (request, response) => {
      if (request.url === '/silent') return;
      for (let i = 0; i < 5; i++) {
        response.write('x');
        await sleep(request.url === '/drips' ? 20 : 300);
      }
      if (request.url !== '/stalls') response.end();
    });
    const client = makeClient({ port: server.port, timeoutMs: 600 });
    expect(await reasonOf(client.get('http://a.test/drips'))).toBe('fetched');
    // Each pause is short, their sum is not.
    expect(await reasonOf(client.get('http://a.test/slow'))).toBe('timeout');
    expect(await reasonOf(client.get('http://a.test/stalls'))).toBe('timeout');
    expect(await reasonOf(client.get('http://a.test/silent'))).toBe('timeout');
  });

  test('redirects share the deadline', async () => {
    const server = await startServer(async (_request, response) => {
      await sleep(250);
      response.writeHead(302, { location: '/next' }).end();
    });
    const started = performance.now();
    expect(await reasonOf(makeClient({ port: server.port, timeoutMs: 600 }).get('http://a.test/'))).toBe('timeout');
    expect(performance.now() - started).toBeLessThan(1500);
  });

  test('cut bodies and closed ports are connection-failed', async () => {
    const server = await startServer((request, response) => {
      if (request.url === '/reset') {
        request.socket.destroy();
        return;
      }
      response.writeHead(200, request.url === '/length' ? { 'content-length': 100 } : {});
      response.write('x', () => response.destroy());
    });
    const client = makeClient({ port: server.port });
    for (const path of ['reset', 'length', 'chunked']) expect(await reasonOf(client.get(`http://a.test/${path}`))).toBe('connection-failed');
    server.server.close();
    server.server.closeAllConnections();
    expect(await reasonOf(makeClient({ port: server.port }).get('http://a.test/'))).toBe('connection-failed');
  });

  test('an idle connection that the server closes meanwhile costs nothing', async () => {
    const server = await startServer((_request, response) => void response.end('picture'));
    server.server.keepAliveTimeout = 1;
    const client = makeClient({ port: server.port, hostConcurrency: 50 });
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all(Array.from({ length: 20 }, async (_, i) => reasonOf(client.get(`http://a.test/${i}`))));
      expect(new Set(results)).toEqual(new Set(['fetched']));
      await sleep(round % 3);
      server.server.closeIdleConnections();
    }
  });

  test('few requests a host at a time, many hosts at once', async () => {
    const server = await startServer(async (_request, response) => {
      await sleep(20);
      response.end('picture');
    });
    const client = makeClient({ port: server.port, hostConcurrency: 3 });
    await Promise.all(Array.from({ length: 30 }, async () => client.get('http://a.test/')));
    expect(server.mostAtOnce).toBe(3);
    await Promise.all(Array.from({ length: 30 }, async (_, i) => client.get(`http://h${i % 10}.test/`)));
    expect(server.mostAtOnce).toBe(30);
  });

  test('waiting for a turn at a host is not part of the deadline', async () => {
    const server = await startServer(async (_request, response) => {
      await sleep(100);
      response.end('picture');
    });
    const client = makeClient({ port: server.port, hostConcurrency: 1, timeoutMs: 400 });
    const results = await Promise.all(Array.from({ length: 8 }, async () => reasonOf(client.get('http://a.test/'))));
    expect(new Set(results)).toEqual(new Set(['fetched']));
  });
});

describe('robots.txt', () => {
  async function reasons(robots: string | number | 'reset', paths: string[]): Promise<{ reasons: string[]; requests: string[] }> {
    const server = await startServer((request, response) => {
      if (request.url !== '/robots.txt') response.end('picture');
      else if (typeof robots === 'number') response.writeHead(robots, { location: '/robots.txt' }).end();
      else if (robots === 'reset') request.socket.destroy();
      else response.end(robots);
    });
    const client = makeClient({ port: server.port, obeyRobots: true });
    return { reasons: await Promise.all(paths.map(async (path) => reasonOf(client.get(`http://a.test${path}`)))), requests: server.requests };
  }

  test('is asked once a host, and its rules hold', async () => {
    const { reasons: found, requests } = await reasons('User-agent: *\nDisallow: /private/\nAllow: /private/press/\nDisallow: /*?session=\n', [
      '/a.jpg',
      '/private/a.jpg',
      '/private/press/a.jpg',
      '/b.jpg?session=1',
    ]);
    expect(found).toEqual(['fetched', 'robots-txt', 'fetched', 'robots-txt']);
    expect(requests.filter((each) => each.endsWith('/robots.txt'))).toHaveLength(1);
    expect(requests).toHaveLength(3);
  });

  test('our own group goes before the one for all', async () => {
    const body = '\uFEFFUser-agent: otherbot\nDisallow: /\n\nUser-Agent: PairMill/2.0 # us\nDisallow: /members/\n\nUser-agent: *\nDisallow: /cgi-bin/\n';
    expect((await reasons(body, ['/a.jpg', '/members/a.jpg', '/cgi-bin/a.jpg'])).reasons).toEqual(['fetched', 'robots-txt', 'fetched']);
  });

  test.each([[404], [403], [429], [302]])('HTTP %i: everything is allowed', async (status) => {
    expect((await reasons(status, ['/a.jpg'])).reasons).toEqual(['fetched']);
  });

  test('HTTP 5xx: nothing is allowed', async () => {
    expect(await reasons(503, ['/a.jpg', '/b.jpg'])).toEqual({ reasons: ['robots-txt', 'robots-txt'], requests: ['a.test /robots.txt'] });
  });

  test('no answer: nothing is fetched, and the reason is that of the host', async () => {
    expect((await reasons('reset', ['/a.jpg'])).reasons).toEqual(['connection-failed']);
  });

  test('a page instead of rules allows everything', async () => {
    expect((await reasons('<!DOCTYPE html><html><body>Oops</body></html>', ['/a.jpg'])).reasons).toEqual(['fetched']);
  });

  test('holds for every hop of a redirect', async () => {
    const server = await startServer((request, response) => {
      const [host, path] = [request.headers.host, request.url];
      if (path === '/robots.txt') response.end(host === 'closed.test' ? 'User-agent: *\nDisallow: /\n' : '');
      else response.writeHead(302, { location: 'http://closed.test/a.jpg' }).end();
    });
    expect(await reasonOf(makeClient({ port: server.port, obeyRobots: true }).get('http://open.test/a.jpg'))).toBe('robots-txt');
    expect(server.requests).toEqual(['open.test /robots.txt', 'open.test /a.jpg', 'closed.test /robots.txt']);
  });
});
