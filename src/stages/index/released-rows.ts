import type { Dataset, DatasetState } from '../../contracts/dataset.ts';
import { Release, type SetName, setNames } from '../../contracts/records.ts';
import { sqlName, sqlParquet, type WorkDatabase } from '../../formats/duckdb.ts';
import { parquetElements } from '../../formats/parquet.ts';

/** Parts of a release, another tool's too: the part of that number of each set is one shard. */
export const releaseFiles = /^(?:en|multi|nolang)\/part-(\d+)[^/]*\.parquet$/;

/** The files of a release in the order in which its rows get their ids: sets en, multi, nolang, parts by name. */
export function releaseParts({ shards }: DatasetState): string[] {
  const parts = shards.flatMap(({ files }) => files.filter((file) => releaseFiles.test(file)));
  const setOf = (part: string): number => setNames.indexOf(part.slice(0, part.indexOf('/')) as SetName);
  return parts.sort((a, b) => setOf(a) - setOf(b) || (a < b ? -1 : 1));
}

/** The fingerprint in the release's manifest; empty for a release of another tool. */
export async function releaseFingerprint(release: Dataset): Promise<string> {
  const text = await release.storage.readText('manifest.json');
  const manifest = text === undefined ? {} : (JSON.parse(text) as { fingerprint?: unknown });
  return typeof manifest.fingerprint === 'string' ? manifest.fingerprint : '';
}

export interface ReleasedRows {
  rows: number;
  /** Further numbers with a fraction after LAION's columns: the tags, and those of --columns. By these a search can be narrowed. */
  heads: string[];
}

const own = new Set(Object.keys(Release.shape).filter((name) => name !== 'pwatermark' && name !== 'punsafe'));

/**
 * Fills the table `released`: a row for each of the release, with its `id`, its place in release order. Head i is its column
 * `head_i`, since a head may be called like a column of ours.
 */
export async function loadReleased(database: WorkDatabase, paths: readonly { part: string; path: string }[]): Promise<ReleasedRows> {
  const columnsOf = new Map<string, Set<string>>();
  const found = new Set<string>();
  for (const { path } of paths) {
    const elements = await parquetElements(path);
    columnsOf.set(path, new Set(elements.map(({ name }) => name)));
    for (const { name, type, plain } of elements) if (plain && (type === 'FLOAT' || type === 'DOUBLE') && !own.has(name)) found.add(name);
  }
  const heads = [...found].sort();
  await database.run(
    `CREATE TABLE released (id BIGINT, hash BIGINT, url VARCHAR, caption VARCHAR, language VARCHAR, licence VARCHAR, NSFW VARCHAR, similarity DOUBLE, width INTEGER, height INTEGER${heads.map((_, i) => `, head_${i} FLOAT`).join('')})`,
  );
  let rows = 0;
  for (const { part, path } of paths) {
    const columns = columnsOf.get(path)!;
    const language = part.startsWith('en/') ? "'en'" : columns.has('LANGUAGE') ? 'LANGUAGE' : "''";
    const scores = heads.map((head) => `, ${columns.has(head) ? sqlName(head) : 'NULL'}`).join('');
    const optional = (name: string): string => (columns.has(name) ? sqlName(name) : 'NULL');
    await database.run(
      `INSERT INTO released SELECT ${rows} + file_row_number, hash, URL, TEXT, ${language}, ${optional('LICENSE')}, ${optional('NSFW')}, similarity, WIDTH, HEIGHT${scores} FROM ${sqlParquet([path], { rowNumbers: true })}`,
    );
    const [count] = await database.all<{ n: bigint }>(`SELECT count(*) AS n FROM ${sqlParquet([path])}`);
    rows += Number(count!.n);
  }
  return { rows, heads };
}

/** Languages of the released rows, most frequent first. */
export async function releasedLanguages(database: WorkDatabase): Promise<{ language: string; rows: number }[]> {
  const rows = await database.all<{ language: string; n: bigint }>('SELECT language, count(*) AS n FROM released GROUP BY language ORDER BY n DESC, language');
  return rows.map(({ language, n }) => ({ language, rows: Number(n) }));
}
