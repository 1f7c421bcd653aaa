import { join } from 'node:path';
import { packageRoot } from '../contracts/package-root.ts';

/** Serves the page from its sources on `port`, and passes everything else to the server on `apiPort`. */
export async function startDevPage(port: number, apiPort: number): Promise<{ url: string; close(): Promise<void> }> {
  // A devDependency: only a clone has it, and only --dev asks for it.
  const { createServer } = await import('vite');
  const target = `http://127.0.0.1:${apiPort}`;
  const vite = await createServer({
    configFile: join(packageRoot(), 'web', 'vite.config.ts'),
    server: {
      host: '127.0.0.1',
      port,
      strictPort: true,
      proxy: Object.fromEntries(
        ['/api', '/images', '/knn-service', '/metadata', '/indices-list', '/config.json', '/metrics'].map((path) => [path, { target, changeOrigin: true }]),
      ),
    },
  });
  await vite.listen();
  return { url: `http://localhost:${port}`, close: () => vite.close() };
}
