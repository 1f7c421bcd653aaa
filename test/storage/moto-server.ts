import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { onTestFinished, type TestContext } from 'vitest';
import { requirePythonFor } from '../python.ts';

/** moto's S3 (another's idea of the protocol, with no faults) with a bucket `crawl`, until the test ends. Skips the test where there is no moto. */
export async function startMotoServer(context: TestContext): Promise<{ endpoint: string }> {
  const python = requirePythonFor(context, 'import moto.server, moto.s3', 'moto');
  const port = await freePort();
  const server = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  onTestFinished(() => void server.kill('SIGKILL'));
  const endpoint = `http://127.0.0.1:${port}`;
  await makeBucket(endpoint, server);
  return { endpoint };
}

async function makeBucket(endpoint: string, server: ChildProcess): Promise<void> {
  const body = '<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>';
  const authorization = 'AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0';
  for (;;) {
    const made = await fetch(`${endpoint}/crawl`, { method: 'PUT', body, headers: { authorization } }).catch(() => undefined);
    if (made?.ok) return;
    if (made) throw new Error(`moto made no bucket: ${made.status} ${await made.text()}`);
    if (server.exitCode !== null) throw new Error(`moto ended with ${server.exitCode}`);
    await wait(100);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
