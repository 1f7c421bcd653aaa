import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Link, setNames, setOfLanguage } from '../../src/contracts/records.ts';
import { shardName } from '../../src/contracts/sample-key.ts';
import { ParquetFileWriter } from '../../src/formats/parquet-writer.ts';
import { sampleHash, sampleUid } from '../../src/formats/sample-hash.ts';

/** Links as dedup writes them, three sets a shard; the same in every run. */
export async function makeLinks(folder: string, links: number, shards: number): Promise<void> {
  if ((await readdir(join(folder, 'en')).catch(() => [])).length === shards) return;
  for (const set of setNames) await mkdir(join(folder, set), { recursive: true });
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const word = (): string => words[random(words.length)]!;
  let [page, host, left] = ['', '', 0];
  for (let shard = 0, i = 0; shard < shards; shard++) {
    const name = shardName(shard);
    const writers = { en: await open(folder, 'en', name), multi: await open(folder, 'multi', name), nolang: await open(folder, 'nolang', name) };
    const crawl_file = `crawl-data/CC-MAIN-2022-40/segments/1664030331677.90/wat/CC-MAIN-20220924151538-20220924181538-${name}.warc.wat.gz`;
    for (let k = 0; k < links / shards; k++, i++) {
      if (left-- === 0) {
        host = `www.example-${random(40_000)}.com`;
        page = `https://${host}/blog/2022/${random(1_000_000)}/${word()}-${word()}/`;
        left = random(20);
      }
      const url = `https://${host}/wp-content/uploads/2022/10/${word()}-${i}-1024x768.jpg`;
      const count = 3 + random(10);
      const text = Array.from({ length: count }, word).join(' ') + (random(5) === 0 ? ' – größer 猫' : '');
      const language = languages[random(languages.length)]!;
      await writers[setOfLanguage(language)].write({
        url,
        text,
        language,
        language_confidence: language === '' ? 0 : Math.fround(random(1e6) / 1e6),
        licence: random(50) === 0 ? 'https://creativecommons.org/licenses/by/4.0/' : null,
        hash: sampleHash(url, text),
        uid: sampleUid(url, text),
        page_url: page,
        crawl_file,
        record_offset: BigInt(i * 1000),
        words: count,
        characters: text.length,
        alphanumeric_share: Math.fround(random(1e6) / 1e6),
        special_share: Math.fround(random(1e5) / 1e6),
        repetition_share: Math.fround(random(3e5) / 1e6),
      });
    }
    for (const writer of Object.values(writers)) await writer.close();
  }
}

function open(folder: string, set: string, name: string): Promise<ParquetFileWriter<Link>> {
  return ParquetFileWriter.open(join(folder, set, `${name}.parquet`), Link);
}

const languages = ['en', 'en', 'en', 'en', 'de', 'fr', 'es', 'ru', 'ja', '', '', ''];
const words =
  'red car house on the street with big tree image of product photo new old vintage summer garden blue white best price view from mountain lake city night background vector illustration'.split(
    ' ',
  );
