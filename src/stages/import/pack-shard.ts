import { type Sample, Sample as SampleSchema, withFurtherColumns } from '../../contracts/records.ts';
import { sampleKey } from '../../contracts/sample-key.ts';
import type { Effects, ShardResult } from '../../contracts/stage.ts';
import { type FurtherColumns, furtherValues } from '../../formats/further-columns.ts';
import { columnsOfValues, inputNames } from '../../formats/input-columns.ts';
import { findListColumns } from '../../formats/list-columns.ts';
import { sampleHash, sampleUid } from '../../formats/sample-hash.ts';
import { floatColumns } from '../../formats/sample-json.ts';
import { sampleMembers } from '../../formats/sample-members.ts';
import type { LanguageDetector } from '../../language/language-detector.ts';
import type { ImportOptions } from './options.ts';
import type { OwnPicture } from './own-picture.ts';
import { type PackedPicture, packPicture, type Refused } from './pack-picture.ts';

/** Pictures that are decoded at a time. */
const PICTURES_AT_ONCE = 8;

export interface Packing {
  options: ImportOptions;
  /** Made with the first text that needs it. */
  detector(): Promise<LanguageDetector | undefined>;
  /** Decides the digits of the keys. */
  samplesPerShard: number;
}

/** Writes `NNNNN.tar` with the pictures that could be read and `NNNNN.parquet` with a row for each, both in the order given. */
export async function packShard(
  name: string,
  pictures: readonly OwnPicture[],
  { options, detector, samplesPerShard }: Packing,
  effects: Effects<'import'>,
): Promise<ShardResult> {
  const passed = pictures.map(({ known }) => passedOn(known, options.captionCol));
  const names = inputNames(new Set(passed.flatMap((known) => Object.keys(known))));
  const renamed = passed.map((known) => Object.fromEntries(Object.entries(known).map(([key, value]) => [names.get(key)!, value])));
  const further: FurtherColumns = columnsOfValues(renamed);
  const schema = withFurtherColumns(SampleSchema, further, 'first');
  const floats = floatColumns(schema);
  const tar = await effects.files.samples(`${name}.tar`);
  const rows = await effects.files.parquet(`${name}.parquet`, schema);
  const seen = new Set<bigint>();
  for (let start = 0; start < pictures.length; start += PICTURES_AT_ONCE) {
    effects.signal.throwIfAborted();
    const batch = pictures.slice(start, start + PICTURES_AT_ONCE);
    const packed = await Promise.all(batch.map((picture) => outcomeOf(picture, options)));
    for (const [i, picture] of batch.entries()) {
      const sample = {
        ...furtherValues(renamed[start + i]!, further),
        ...(await sampleOf(picture, sampleKey(name, start + i, samplesPerShard), options, detector)),
      };
      const outcome = seen.has(sample.hash) ? duplicateOf(sample) : packed[i]!;
      seen.add(sample.hash);
      if ('bytes' in outcome) {
        const { width, height, originalWidth, originalHeight } = outcome;
        Object.assign(sample, { width, height, original_width: originalWidth, original_height: originalHeight });
        await tar.write(sample.key, sampleMembers(sample, outcome.suffix, outcome.bytes, floats));
      } else {
        const { reason, value, threshold } = outcome;
        Object.assign(sample, { status: 'failed_to_resize', error_message: reason });
        effects.drop(reason, { hash: sample.hash, url: sample.url, text: sample.caption, value, threshold });
      }
      await rows.write(sample);
      effects.progress({ in: 1, out: 'bytes' in outcome ? 1 : 0 });
    }
  }
  return { in: pictures.length, out: [tar] };
}

type Outcome = PackedPicture | Refused | { reason: 'broken-json' | 'duplicate'; value: string; threshold: null };

function duplicateOf({ hash }: Sample): Outcome {
  return { reason: 'duplicate', value: String(hash), threshold: null };
}

async function outcomeOf(picture: OwnPicture, options: ImportOptions): Promise<Outcome> {
  if (picture.broken !== undefined) return { reason: 'broken-json', value: picture.broken, threshold: null };
  return packPicture(await picture.read(), options);
}

async function sampleOf({ url, caption, known }: OwnPicture, key: string, { language }: ImportOptions, detector: Packing['detector']): Promise<Sample> {
  const text = (name: string | undefined): string => (name !== undefined && typeof known[name] === 'string' ? known[name] : '');
  const columns = findListColumns(Object.keys(known));
  const offset = known['record_offset'];
  const own = text(columns.language).trim().toLowerCase() || language;
  return {
    language: own ?? (caption === '' ? '' : ((await detector())?.detect(caption)?.code ?? '')),
    licence: text(columns.licence) || null,
    hash: sampleHash(url, caption),
    uid: sampleUid(url, caption),
    page_url: text('page_url'),
    crawl_file: text('crawl_file'),
    record_offset: typeof offset === 'bigint' ? offset : null,
    caption,
    url,
    key,
    status: 'success',
    error_message: null,
    width: null,
    height: null,
    original_width: null,
    original_height: null,
    exif: text('exif') || null,
    sha256: text('sha256') || null,
  };
}

/** What comes along: all but what became a column of ours, and what a sample's own row says anew. */
function passedOn(known: Readonly<Record<string, unknown>>, captionCol: string | undefined): Record<string, unknown> {
  const { text, language, licence } = findListColumns(Object.keys(known), { text: captionCol });
  const taken = new Set<string | undefined>([text, language, licence, 'url', 'URL', 'exif', 'sha256', 'page_url', ...Object.keys(SampleSchema.shape)]);
  return Object.fromEntries(Object.entries(known).filter(([name]) => !taken.has(name)));
}
