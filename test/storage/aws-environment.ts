import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { keys, type S3Server } from './s3-server.ts';

/** What a process's environment says of a test's server. */
export function environmentOf(server: Pick<S3Server, 'endpoint'>, more: Record<string, string | undefined> = {}): Record<string, string | undefined> {
  return {
    AWS_ACCESS_KEY_ID: keys.id,
    AWS_SECRET_ACCESS_KEY: keys.secret,
    AWS_REGION: 'eu-central-1',
    AWS_ENDPOINT_URL_S3: server.endpoint,
    ...more,
  };
}

/** The variables without which AWS's client finds nothing by itself, nor asks the network for it. */
export const nothingOfAws: Record<string, string> = {
  AWS_CONFIG_FILE: join(tmpdir(), 'pairmill-no-such-config'),
  AWS_SHARED_CREDENTIALS_FILE: join(tmpdir(), 'pairmill-no-such-credentials'),
  AWS_EC2_METADATA_DISABLED: 'true',
};

/** AWS's client reads the process's environment by itself: in these tests nothing stands there but what they say. */
export function withoutAws(): void {
  beforeEach(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
    for (const [name, value] of Object.entries(nothingOfAws)) vi.stubEnv(name, value);
  });
  afterEach(() => vi.unstubAllEnvs());
}
