import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';

export interface OriginPorts {
  http: number;
  https: number;
  /** Accepts connections, and nothing else. */
  silent: number;
}

/** `origin.ts` on the pictures of a folder, with a self-signed certificate for 127.0.0.0 to 127.0.0.254 that is made in `scratch`. */
export async function startOrigin(pictures: string, scratch: string): Promise<{ ports: OriginPorts; certificate: string; close(): void }> {
  const [key, cert] = [join(scratch, 'key.pem'), join(scratch, 'cert.pem')];
  const names = Array.from({ length: 255 }, (_, i) => `IP:127.0.0.${i}`).join(',');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-days', '2', '-subj', '/CN=bench', '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  const child = spawn(process.execPath, [join(import.meta.dirname, 'origin.ts'), pictures, key, cert], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ports = await new Promise<OriginPorts>((resolve, reject) => {
    child.stdout.once('data', (line: Buffer) => resolve(JSON.parse(line.toString()) as OriginPorts));
    child.once('exit', () => reject(new Error('the origin of the bench ended')));
  });
  return { ports, certificate: cert, close: () => void child.kill() };
}
