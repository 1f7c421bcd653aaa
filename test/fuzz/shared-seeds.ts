import { createReadStream, existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { DamageCount } from '../../src/formats/warc-record.ts';
import { readWarc } from '../../src/formats/warc.ts';
import { sharedData } from '../local-paths.ts';

const folder = join(sharedData, 'warc');
/** Why there are no real records to begin with, or an empty text. */
export const noSharedSeeds = existsSync(folder) ? '' : `, without real records: ${folder} is not here (PAIRMILL_SHARED_DATA)`;

/** Blocks of the real crawl files that are small enough to be changed a thousand times: of HTTP responses, or the JSON of a WAT. They are not ours to commit. */
export async function sharedSeeds(target: string): Promise<Buffer[]> {
  const begin = target === 'html-page' ? 'HTTP/' : target === 'wat-record' ? '{' : undefined;
  const seeds: Buffer[] = [];
  if (begin === undefined) return seeds;
  for (const path of globSync(`${folder}/*.{warc.gz,wat.gz}`).sort()) {
    let ofFile = 0;
    for await (const { bytes, records } of readWarc(createReadStream(path), { maxRecordBytes: 32_000_000, damage: new DamageCount() })) {
      for (const { contentStart, contentEnd } of records) {
        const block = bytes.subarray(contentStart, contentEnd);
        if (ofFile < 10 && block.length < 12_000 && block.toString('latin1', 0, begin.length) === begin) {
          seeds.push(Buffer.from(block));
          ofFile++;
        }
      }
    }
  }
  return seeds;
}
