import { sampleJson } from './sample-json.ts';

/** Members of a sample in a tar: a file for each suffix. */
export type SampleMembers = readonly (readonly [suffix: string, bytes: Uint8Array])[];

/**
 * Picture, json and caption of a sample, sorted by suffix as webdataset's writer has them. `suffix` is the picture's, `floats` the columns
 * of `row` that are floats (`floatColumns`).
 */
export function sampleMembers(
  row: Readonly<Record<string, unknown>> & { readonly caption: string },
  suffix: string,
  picture: Uint8Array,
  floats: ReadonlySet<string>,
): SampleMembers {
  const members: [string, Uint8Array][] = [
    [suffix, picture],
    ['json', sampleJson(row, floats)],
    ['txt', Buffer.from(row.caption)],
  ];
  return members.sort(([a], [b]) => (a < b ? -1 : 1));
}
