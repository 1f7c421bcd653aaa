import { DamageCount, headerField, targetUri } from '../../src/formats/warc-record.ts';
import { readWarc } from '../../src/formats/warc.ts';
import { type WatPage, WatScanner } from '../../src/formats/wat-page.ts';
import { pieces } from '../formats/crawl-bytes.ts';

/** A record as `readWarc` and `WatScanner` see it. */
export interface ReadRecord {
  content: Buffer;
  offset: number;
  /** Its WARC-Target-URI and Content-Type. */
  uri: string | undefined;
  type: string | undefined;
  page: WatPage;
}

/** All of a crawl file's records, copied out of the batches, and the counts of damage. */
export async function readAll(bytes: Buffer, piece: number, maxRecordBytes: number): Promise<{ records: ReadRecord[]; damage: DamageCount['counts'] }> {
  const damage = new DamageCount();
  const records: ReadRecord[] = [];
  for await (const batch of readWarc(pieces(bytes, piece), { maxRecordBytes, damage })) {
    const scanner = new WatScanner(batch.bytes, 'image');
    for (const record of batch.records) {
      records.push({
        content: Buffer.from(batch.bytes.subarray(record.contentStart, record.contentEnd)),
        offset: record.offset,
        uri: targetUri(batch.bytes, record),
        type: headerField(batch.bytes, record, 'content-type'),
        page: scanner.read(record),
      });
    }
  }
  return { records, damage: damage.counts };
}
