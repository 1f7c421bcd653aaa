import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ShardError, systemCode } from '../../contracts/errors.ts';
import { Release, setNames } from '../../contracts/records.ts';
import { sqlName, sqlParquet, type WorkDatabase } from '../../formats/duckdb.ts';
import { parquetColumns } from '../../formats/parquet.ts';

/** The files of a release in the order in which its rows get their ids: sets en, multi, nolang, parts by name. */
export async function releaseParts(folder: string): Promise<{ set: string; path: string }[]> {
  const parts: { set: string; path: string }[] = [];
  for (const set of setNames) {
    let names: string[];
    try {
      names = await readdir(join(folder, set));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') continue;
      throw error;
    }
    for (const name of names.filter((each) => each.startsWith('part-') && each.endsWith('.parquet')).sort()) parts.push({ set, path: join(folder, set, name) });
  }
  return parts;
}

/** The fingerprint in the release's manifest; empty for a release of another tool. */
export async function releaseFingerprint(folder: string): Promise<string> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as { fingerprint?: unknown };
    return typeof manifest.fingerprint === 'string' ? manifest.fingerprint : '';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}

export interface ReleasedRows {
  rows: number;
  /** Columns after LAION's: the tags, with those of LAION's that hold one. */
  heads: string[];
}

/** Fills the table `released`: a row for each of the release, with its `id`, its place in release order. */
export async function loadReleased(database: WorkDatabase, folder: string): Promise<ReleasedRows> {
  const parts = await releaseParts(folder);
  if (parts.length === 0) throw new ShardError(`${folder} holds no release (SET/part-NNNNN-….parquet). Run release first, or name its folder with --release.`);
  const own = new Set(Object.keys(Release.shape).filter((name) => name !== 'pwatermark' && name !== 'punsafe'));
  const heads = [...new Set((await Promise.all(parts.map(({ path }) => parquetColumns(path)))).flat())].filter((name) => !own.has(name)).sort();
  await database.run(
    `CREATE TABLE released (id BIGINT, hash BIGINT, url VARCHAR, caption VARCHAR, language VARCHAR, licence VARCHAR, NSFW VARCHAR, similarity DOUBLE, width INTEGER, height INTEGER${heads.map((head) => `, ${sqlName(head)} FLOAT`).join('')})`,
  );
  let rows = 0;
  for (const { set, path } of parts) {
    const columns = new Set(await parquetColumns(path));
    const language = set === 'en' ? "'en'" : columns.has('LANGUAGE') ? 'LANGUAGE' : "''";
    const tags = heads.map((head) => `, ${columns.has(head) ? sqlName(head) : 'NULL'}`).join('');
    const optional = (name: string): string => (columns.has(name) ? sqlName(name) : 'NULL');
    await database.run(
      `INSERT INTO released SELECT ${rows} + file_row_number, hash, URL, TEXT, ${language}, ${optional('LICENSE')}, ${optional('NSFW')}, similarity, WIDTH, HEIGHT${tags} FROM ${sqlParquet([path]).replace(/\)$/, ', file_row_number = true)')}`,
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
