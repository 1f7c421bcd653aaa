import { setNames, type SetName } from '../../contracts/records.ts';
import { sqlName, type WorkDatabase } from '../../formats/duckdb.ts';

/** Figures of one set, as the LAION-5B announcement gives them. */
export interface SetStatistics {
  rows: number;
  /** Rows of which both sides are longer than so many pixels. */
  larger_than: { '256': number; '512': number; '1024': number };
  with_licence: number;
  /** Most frequent first. */
  languages: { language: string; rows: number }[];
  similarity: Histogram;
  tags: Record<string, Histogram & { without: number }>;
}

/** `rows` of bin i have a value from `bins[i].from` to `from + width`, the upper end excluded. */
export interface Histogram {
  width: number;
  bins: { from: number; rows: number }[];
}

/** `statistics.json`: per set and over all, over the rows that stay. Nothing in it depends on the order of rows. */
export async function releaseStatistics(database: WorkDatabase, heads: readonly string[]): Promise<Record<SetName | 'all', SetStatistics>> {
  const sets = {} as Record<SetName | 'all', SetStatistics>;
  for (const set of ['all', ...setNames] as const)
    sets[set] = await setStatistics(database, set === 'all' ? 'copy = 1' : `copy = 1 AND set_name = '${set}'`, heads);
  return sets;
}

async function setStatistics(database: WorkDatabase, where: string, heads: readonly string[]): Promise<SetStatistics> {
  const larger = (side: number): string => `count(*) FILTER (least(width, height) > ${side}) AS larger_${side}`;
  const without = heads.map((head, i) => `, count(*) - count(${sqlName(head)}) AS without_${i}`);
  const [counts] = await database.all<Record<string, bigint>>(
    `SELECT count(*) AS n, ${larger(256)}, ${larger(512)}, ${larger(1024)}, count(licence) AS with_licence${without.join('')} FROM joined WHERE ${where}`,
  );
  const count = (name: string): number => Number(counts![name]);
  const languages = await database.all<{ language: string; n: bigint }>(
    `SELECT language, count(*) AS n FROM joined WHERE ${where} GROUP BY language ORDER BY n DESC, language`,
  );
  const tags: SetStatistics['tags'] = {};
  for (const [i, head] of heads.entries()) tags[head] = { without: count(`without_${i}`), ...(await histogram(database, where, head, 10)) };
  return {
    rows: count('n'),
    larger_than: { '256': count('larger_256'), '512': count('larger_512'), '1024': count('larger_1024') },
    with_licence: count('with_licence'),
    languages: languages.map(({ language, n }) => ({ language, rows: Number(n) })),
    similarity: await histogram(database, where, 'similarity', 100),
    tags,
  };
}

/** `perUnit` bins for each 1 of the value. */
async function histogram(database: WorkDatabase, where: string, column: string, perUnit: number): Promise<Histogram> {
  const name = sqlName(column);
  const rows = await database.all<{ bin: number; n: bigint }>(
    `SELECT floor(${name}::DOUBLE * ${perUnit})::INTEGER AS bin, count(*) AS n FROM joined WHERE ${where} AND ${name} IS NOT NULL AND isfinite(${name}) GROUP BY bin ORDER BY bin`,
  );
  return { width: 1 / perUnit, bins: rows.map(({ bin, n }) => ({ from: bin / perUnit, rows: Number(n) })) };
}
