import type { CrawlPage, LinkKind } from '../../formats/crawl-page.ts';
import { readHtmlPage } from '../../formats/html-page.ts';
import { htmlText, isHtml, parseHttpResponse } from '../../formats/http-payload.ts';
import { addHeader, type OptOuts } from '../../formats/opt-outs.ts';
import { readWarc } from '../../formats/warc.ts';
import { type DamageCount, headerField, targetUri, type WarcRecord } from '../../formats/warc-record.ts';
import { WatScanner } from '../../formats/wat-page.ts';

/** A page with the place of its record in the crawl file. */
export interface PlacedPage extends CrawlPage {
  offset: number;
}

/** What is read out of a crawl file. */
export interface PageSettings {
  kind: LinkKind;
  maxRecordBytes: number;
  /** Attributes of images in HTML that hold their URL. */
  imageAttributes: readonly string[];
}

export interface ReadCounts {
  /** Whole records, of any type. */
  records: number;
  damage: DamageCount;
}

/**
 * The pages of a crawl file that have links of the kind, in file order, in batches: from the metadata records of a WAT, and
 * from the HTML in the response records of a WARC. Damaged records are counted and left out.
 */
export async function* readPages(source: AsyncIterable<Uint8Array>, settings: PageSettings, counts: ReadCounts): AsyncGenerator<PlacedPage[]> {
  for await (const { bytes, records } of readWarc(source, { maxRecordBytes: settings.maxRecordBytes, damage: counts.damage })) {
    const scanner = new WatScanner(bytes, settings.kind);
    const pages: PlacedPage[] = [];
    for (const record of records) {
      counts.records++;
      const response = isResponse(bytes, record);
      const page = response ? readHtml(bytes, record, settings) : scanner.read(record);
      if (!page) continue;
      if ('damaged' in page) counts.damage.add(page.damaged);
      else if (page.links.length > 0) pages.push(Object.assign(page, { offset: record.offset }));
    }
    if (pages.length > 0) yield pages;
  }
}

/** Whether a record holds an HTTP response (its block begins with HTTP/), rather than what a WAT says of one. */
function isResponse(bytes: Buffer, record: WarcRecord): boolean {
  const { contentStart } = record;
  return (
    bytes[contentStart] === 0x48 &&
    bytes[contentStart + 1] === 0x54 &&
    bytes[contentStart + 4] === 0x2f &&
    headerField(bytes, record, 'warc-type') === 'response'
  );
}

function readHtml(bytes: Buffer, record: WarcRecord, { kind, imageAttributes }: PageSettings): CrawlPage | undefined | { damaged: 'html' } {
  const { contentStart, contentEnd } = record;
  const pageUrl = targetUri(bytes, record);
  try {
    const response = parseHttpResponse(bytes.subarray(contentStart, contentEnd));
    if (pageUrl === undefined || !response || !isHtml(response)) return undefined;
    const page = readHtmlPage(htmlText(response), pageUrl, kind, imageAttributes);
    const optOuts: OptOuts = { refusals: [], reservations: [] };
    addHeader(optOuts, [...response.fields, ['x-robots-tag', response.robotsTags]]);
    return { ...page, refusals: [...optOuts.refusals, ...page.refusals], reservations: [...optOuts.reservations, ...page.reservations] };
  } catch {
    return { damaged: 'html' };
  }
}
