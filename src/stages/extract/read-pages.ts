import type { CrawlPage, LinkKind } from '../../formats/crawl-page.ts';
import { readWarc } from '../../formats/warc.ts';
import { type DamageCount, headerField } from '../../formats/warc-record.ts';
import { WatScanner } from '../../formats/wat-page.ts';

/** A page with the place of its record in the crawl file. */
export interface PlacedPage extends CrawlPage {
  offset: number;
}

export interface ReadCounts {
  /** Whole records, of any type. */
  records: number;
  damage: DamageCount;
  /** Records of responses: the pages themselves, as a WARC holds them, where a WAT holds metadata. */
  responses: number;
}

/** The pages of a crawl file that have links of the kind, in file order, in batches. Damaged records are counted and left out. */
export async function* readPages(source: AsyncIterable<Uint8Array>, kind: LinkKind, maxRecordBytes: number, counts: ReadCounts): AsyncGenerator<PlacedPage[]> {
  for await (const { bytes, records } of readWarc(source, { maxRecordBytes, damage: counts.damage })) {
    const scanner = new WatScanner(bytes, kind);
    const pages: PlacedPage[] = [];
    for (const record of records) {
      counts.records++;
      const page = scanner.read(record);
      if (!page) {
        // Asked of a few: it is the kind of file that matters.
        if (counts.records < 1000 && headerField(bytes, record, 'warc-type') === 'response') counts.responses++;
        continue;
      }
      if ('damaged' in page) counts.damage.add(page.damaged);
      else if (page.links.length > 0) pages.push(Object.assign(page, { offset: record.offset }));
    }
    if (pages.length > 0) yield pages;
  }
}
