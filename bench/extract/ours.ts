import { DamageCount } from '../../src/formats/warc-record.ts';
import { readWarc } from '../../src/formats/warc.ts';
import { loadFastText } from '../../src/stages/extract/fasttext-detector.ts';
import { LinkRules } from '../../src/stages/extract/link-rules.ts';
import { openSource } from '../../src/stages/extract/open-source.ts';
import { extractOptions } from '../../src/stages/extract/options.ts';
import { type ReadCounts, readPages } from '../../src/stages/extract/read-pages.ts';

/**
 * One measured pass over a WAT in a process of its own: `inflate` (gzip and record framing only), `parse` (links of
 * pages), `rules` (all rules, no language), `language` (all). Prints JSON with CPU seconds and peak memory.
 */
const [path = '', mode = 'rules'] = process.argv.slice(2);
const signal = new AbortController().signal;
const damage = new DamageCount();
const detector = mode === 'language' ? await loadFastText() : undefined;
const options = extractOptions.parse({});
let rows = 0;
let links = 0;
const before = process.cpuUsage();
if (mode === 'inflate') {
  for await (const { records } of readWarc(openSource(path, signal), { maxRecordBytes: options.maxRecordBytes, damage })) rows += records.length;
} else {
  const counts: ReadCounts = { records: 0, damage };
  const rules = new LinkRules(options, 'x', detector, () => undefined);
  for await (const pages of readPages(
    openSource(path, signal),
    { kind: 'image', maxRecordBytes: options.maxRecordBytes, imageAttributes: options.imageAttributes },
    counts,
  )) {
    for (const page of pages) {
      links += page.links.length;
      if (mode !== 'parse') for (const _ of rules.page(page)) rows++;
    }
  }
}
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ cpu: (user + system) / 1e6, rows, links, rss: process.resourceUsage().maxRSS / 1024, damage: damage.counts }));
