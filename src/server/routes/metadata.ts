import { Hono } from 'hono';
import { z } from 'zod';
import { jsonResponse } from '../json-response.ts';
import { parseBody } from '../parse-body.ts';
import { type Service, withIndex } from '../served-index.ts';
import { legacyMetadata } from './knn-service.ts';

const MetadataRequest = z.object({ ids: z.array(z.int()).max(10_000), indice_name: z.string().nullish() });

/** POST /metadata: clip-retrieval's, for ids that a search gave without their metadata. */
export function metadataRoute(service: Service): Hono {
  return new Hono().post('/metadata', async (c) => {
    const { ids, indice_name } = await parseBody(c, MetadataRequest);
    const samples = await withIndex(service, indice_name, ({ index }) => service.metrics.time('metadata_get_time', () => index.samples(ids)));
    return jsonResponse(
      c,
      samples.map((sample) => ({ id: sample.id, metadata: legacyMetadata(sample) })),
    );
  });
}
