import { Session } from '@lancedb/lancedb';

/** LanceDB caches up to 6 GB of index by default, which is more than many machines that serve have. */
const INDEX_CACHE_BYTES = 512n * 1024n * 1024n;
const METADATA_CACHE_BYTES = 64n * 1024n * 1024n;

export function cappedSession(): Session {
  return new Session(INDEX_CACHE_BYTES, METADATA_CACHE_BYTES);
}
