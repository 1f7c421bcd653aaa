import { writeFileSync } from 'node:fs';
import { DamageCount } from '../../src/formats/warc-record.ts';
import { readWarc } from '../../src/formats/warc.ts';
import { LinkRules } from '../../src/stages/extract/link-rules.ts';
import { loadLanguageDetector } from '../../src/language/load-language-detector.ts';
import { openSource } from '../../src/sources/open-source.ts';
import { extractOptions } from '../../src/stages/extract/options.ts';
import { type ReadCounts, readPages } from '../../src/stages/extract/read-pages.ts';
import { UrlResolver } from '../../src/stages/extract/resolve-url.ts';

/**
 * One measured pass over a WAT in a process of its own: `inflate` (gzip and record framing only), `parse` (links of
 * pages), `rules` (all rules, no language), `language` (all). Prints JSON with CPU seconds and peak memory. `pairs` writes
 * the pairs of URL and alt text by cc2dataset's rules to the file that is named third.
 */
const [path = '', mode = 'rules', pairsFile = ''] = process.argv.slice(2);
const signal = new AbortController().signal;
const damage = new DamageCount();
const options = extractOptions.parse({ languageDetector: 'none' });
const detector = mode === 'language' ? await loadLanguageDetector('fasttext') : undefined;
const pairs: [string, string][] = [];
let rows = 0;
let links = 0;
const before = process.cpuUsage();
if (mode === 'inflate') {
  for await (const { records } of readWarc(openSource(path, signal), { maxRecordBytes: options.maxRecordBytes, damage })) rows += records.length;
} else {
  const counts: ReadCounts = { records: 0, damage };
  const rules = new LinkRules(options, 'x', detector, () => undefined);
  const settings = { kind: 'image', maxRecordBytes: options.maxRecordBytes, imageAttributes: options.imageAttributes } as const;
  for await (const pages of readPages(openSource(path, signal), settings, counts)) {
    for (const page of pages) {
      links += page.links.length;
      if (mode === 'pairs') {
        const resolver = new UrlResolver(page.pageUrl, page.base);
        for (const { url, text } of page.links) {
          const absolute = resolver.resolve(url);
          if (text && absolute !== undefined && /^https?:/.test(absolute)) pairs.push([absolute, text]);
        }
      } else if (mode !== 'parse') for (const _ of rules.page(page)) rows++;
    }
  }
}
const { user, system } = process.cpuUsage(before);
if (mode === 'pairs') writeFileSync(pairsFile, JSON.stringify(pairs));
console.log(JSON.stringify({ cpu: (user + system) / 1e6, rows, links, rss: process.resourceUsage().maxRSS / 1024, damage: damage.counts }));
