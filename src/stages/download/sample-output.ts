import type { z } from 'zod';
import { Bytes } from '../../contracts/records.ts';
import type { ShardFiles, ShardWriter } from '../../contracts/shard-files.ts';
import type { ShardResult } from '../../contracts/stage.ts';
import { floatColumns } from '../../formats/sample-json.ts';
import { type SampleMembers, sampleMembers } from '../../formats/sample-members.ts';
import type { DownloadOptions } from './options.ts';

/** A sample's row: its key and its text are in it. */
export type SampleRow = Record<string, unknown> & { key: string; caption: string };

/** What a shard of samples/ consists of, as --output-format says. */
export interface SampleOutput {
  /** Every sample in its order; a failed one has no picture. Returns the members of one that is written as such. */
  write(row: SampleRow, picture: Uint8Array | undefined): Promise<SampleMembers | undefined>;
  /** What holds the successes. */
  out(): ShardResult['out'];
}

/** Pictures of a row group, which is held in memory: as many rows as img2dataset has in one. */
const PICTURE_ROWS = 100;

/**
 * img2dataset's writers (writer.py). webdataset: `NNNNN.tar` with the successes and `NNNNN.parquet` with a row for each sample; files: a
 * folder `NNNNN` instead of the tar; parquet: the Parquet file alone, the picture in a last column that is named as its format; dummy: nothing.
 */
export async function openSampleOutput(
  name: string,
  schema: z.ZodObject,
  { outputFormat, encodeFormat }: Pick<DownloadOptions, 'outputFormat' | 'encodeFormat'>,
  files: ShardFiles,
): Promise<SampleOutput> {
  if (outputFormat === 'dummy') return countOnly();
  if (outputFormat === 'parquet') {
    const withPicture: z.ZodObject = schema.extend({ [encodeFormat]: Bytes.nullable() });
    const rows = await files.parquet(`${name}.parquet`, withPicture, { rowGroupRows: PICTURE_ROWS, items: encodeFormat });
    return {
      async write(row, picture) {
        await rows.write({ ...row, [encodeFormat]: picture ?? null });
        return undefined;
      },
      out: () => [rows],
    };
  }
  const samples: ShardWriter & { write: Awaited<ReturnType<ShardFiles['samples']>>['write'] } =
    outputFormat === 'files' ? await files.folder(name) : await files.samples(`${name}.tar`);
  const rows = await files.parquet(`${name}.parquet`, schema);
  const floats = floatColumns(schema);
  return {
    async write(row, picture) {
      const packed = picture && sampleMembers(row, encodeFormat, picture, floats);
      if (packed) await samples.write(row.key, packed);
      await rows.write(row);
      return packed;
    },
    out: () => [samples],
  };
}

function countOnly(): SampleOutput {
  let out = 0;
  return {
    async write(_row, picture) {
      if (picture) out++;
      return undefined;
    },
    out: () => out,
  };
}
