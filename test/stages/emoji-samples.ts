import { readFile, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { Sample, withFurtherColumns } from '../../src/contracts/records.ts';
import { writeParquet } from '../../src/formats/parquet-writer.ts';
import { sampleHash } from '../../src/formats/sample-hash.ts';
import { floatColumns, sampleJson } from '../../src/formats/sample-json.ts';
import { SampleWriter } from '../../src/formats/webdataset.ts';

/** One sample of a small shard: a twemoji picture (by its icon name) with a caption, right or wrong. */
export interface EmojiSample {
  icon: string;
  caption: string;
  language: string;
  /** Instead of the picture. */
  bytes?: Uint8Array;
  status?: Sample['status'];
}

const icons = JSON.parse(await readFile(new URL('../../node_modules/@iconify-json/twemoji/icons.json', import.meta.url), 'utf8')) as {
  icons: Record<string, { body: string }>;
};

/** The emoji on white, as JPEG. */
export async function emojiPicture(icon: string, side = 200): Promise<Uint8Array> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 40 40" width="${side}" height="${side}">${icons.icons[icon]!.body}</svg>`;
  return sharp(Buffer.from(svg)).flatten({ background: '#fff' }).jpeg({ quality: 95 }).toBuffer();
}

/** Columns of the user's own: their types, and their values in each sample. */
export interface OwnColumns {
  types: Record<string, z.ZodType>;
  values: (sample: EmojiSample, index: number) => Record<string, unknown>;
}

/**
 * Writes samples/NNNNN.tar and .parquet with img2dataset's marker, so that the shard counts as one of another tool's. Returns the
 * rows.
 */
export async function writeSamplesShard(folder: string, name: string, samples: readonly EmojiSample[], own?: OwnColumns): Promise<Sample[]> {
  await mkdir(folder, { recursive: true });
  const schema = withFurtherColumns(Sample, own?.types ?? {}, 'first');
  const tar = await SampleWriter.open(join(folder, `${name}.tar`));
  const rows: Sample[] = [];
  for (const [i, sample] of samples.entries()) {
    const { icon, caption, language, bytes, status = 'success' } = sample;
    const url = `https://pictures.test/${name}/${i}-${icon}.jpg`;
    const key = `${name}${String(i).padStart(4, '0')}`;
    const row: Sample = {
      ...own?.values(sample, i),
      language,
      licence: null,
      hash: sampleHash(url, caption),
      uid: `uid${i}`,
      page_url: 'https://pages.test/',
      crawl_file: 'crawl.wat.gz',
      record_offset: i === 1 ? null : BigInt(i) + 2n ** 53n,
      caption,
      url,
      key,
      status,
      error_message: status === 'success' ? null : 'broken',
      width: status === 'success' ? 200 : null,
      height: status === 'success' ? 200 : null,
      original_width: null,
      original_height: null,
      exif: status === 'success' ? '{}' : null,
      sha256: null,
    };
    rows.push(row);
    if (status === 'success') {
      await tar.write(key, [
        ['jpg', bytes ?? (await emojiPicture(icon))],
        ['json', sampleJson(row, floatColumns(schema))],
        ['txt', Buffer.from(caption)],
      ]);
    }
  }
  await tar.close();
  await writeParquet(join(folder, `${name}.parquet`), schema, rows);
  await writeFile(join(folder, `${name}_stats.json`), JSON.stringify({ successes: rows.filter(({ status }) => status === 'success').length }));
  return rows;
}

/** Right and wrong captions in three sets, one broken picture, one failed download. */
export const emojiSamples: readonly EmojiSample[] = [
  { icon: 'dog-face', caption: 'dog face', language: 'en' },
  { icon: 'cat-face', caption: 'Katzengesicht', language: 'de' },
  { icon: 'red-apple', caption: 'apple', language: '' },
  { icon: 'red-heart', caption: 'red heart', language: 'en' },
  { icon: 'pizza', caption: 'flag of Japan', language: 'en' },
  { icon: 'automobile', caption: 'gato', language: 'es' },
  { icon: 'dog-face', caption: 'not a picture', language: 'en', bytes: Buffer.from('<svg>not a picture</svg>') },
  { icon: 'dog-face', caption: 'failed', language: 'en', status: 'failed_to_download' },
  { icon: 'bicycle', caption: 'Fahrrad', language: 'de' },
];

/** Columns such as a dataset user brings along: text, numbers of every kind, and nulls. */
export const ownColumns: OwnColumns = {
  types: { source: z.string().nullable(), words: z.int32(), confidence: z.float32(), id64: z.int64() },
  values: ({ caption }, i) => ({
    source: i === 0 ? null : `source ${caption}`,
    words: caption.split(' ').length,
    confidence: i === 2 ? 1 : 0.5,
    id64: 2n ** 60n + BigInt(i),
  }),
};
