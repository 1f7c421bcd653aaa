import type { Socket } from 'node:net';
import type { OriginPorts } from './start-origin.ts';

/** What hostile hosts do with a request, once it is there. Each ends by itself after a while, as the machines of the web do. */
const LASTS_MS = 40_000;

const behaviours: Record<string, (socket: Socket, picture: Buffer) => void> = {
  'slow header': (socket, picture) =>
    drip(socket, Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${picture.byteLength}\r\nx-long: ${'y'.repeat(200)}\r\n\r\n`)),
  'dripping body': (socket, picture) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${picture.byteLength}\r\n\r\n`);
    drip(socket, picture);
  },
  'no answer': (socket) => setTimeout(() => socket.destroy(), LASTS_MS),
  reset: (socket) => socket.resetAndDestroy(),
  'wrong length': (socket, picture) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${picture.byteLength * 2}\r\n\r\n`);
    socket.end(picture);
  },
};
const names = Object.keys(behaviours);

/** A byte a second. */
function drip(socket: Socket, bytes: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at >= bytes.length || at * 1000 >= LASTS_MS) {
      clearInterval(timer);
      socket.destroy();
    } else socket.write(bytes.subarray(at, ++at));
  }, 1000);
}

/** 127.0.9.N is hostile in one of these ways; every other address is not. */
export function hostilityOf(address: string): ((socket: Socket, picture: Buffer) => void) | undefined {
  const [, number] = /127\.0\.9\.(\d+)$/.exec(address) ?? [];
  return number === undefined ? undefined : behaviours[names[Number(number) % names.length]!];
}

/** A link to hostile host number `host`: beside the above, a TLS handshake that never comes to an end, and a name that does not exist. */
export function hostileUrl(host: number, path: string, ports: OriginPorts): string {
  const kinds = names.length + 2;
  const [kind, round] = [host % kinds, Math.floor(host / kinds)];
  if (kind === names.length) return `https://127.0.8.${round}:${ports.silent}/${path}`;
  if (kind === names.length + 1) return `http://host-${round}.invalid/${path}`;
  return `http://127.0.9.${round * names.length + kind}:${ports.http}/${path}`;
}
