import type { Effects } from '../../contracts/stage.ts';
import { sqlParquet, type WorkDatabase } from '../../formats/duckdb.ts';
import { MARKED } from './options.ts';

interface Row {
  hash: bigint;
  url: string;
  caption: string;
  cosine: number;
}

/** Reads the files of semdedup into the view `semantic_duplicates`; the number of rows. */
export async function readSemanticDuplicates(database: WorkDatabase, paths: readonly string[]): Promise<number> {
  await database.run(`CREATE VIEW semantic_duplicates AS SELECT hash, cosine, semantic_duplicate_of FROM ${sqlParquet(paths)}`);
  const [row] = await database.all<{ n: bigint }>('SELECT count(*) AS n FROM semantic_duplicates');
  return Number(row!.n);
}

/**
 * Drops the pairs that semdedup has marked or, where `from` is a cosine, those that are at least that similar to one before them. Sets `copy`
 * to 0 in the table `joined`, of which `copy` = 1 stays.
 */
export async function dropSemanticDuplicates(database: WorkDatabase, from: string, effects: Effects<'release'>): Promise<void> {
  const isDuplicate = from === MARKED ? 'semantic_duplicate_of IS NOT NULL' : `cosine::DOUBLE >= ${Number(from)}::DOUBLE`;
  const duplicates = `SELECT hash, cosine FROM semantic_duplicates WHERE ${isDuplicate}`;
  const sql = `SELECT joined.hash, url, caption, duplicates.cosine FROM joined JOIN (${duplicates}) duplicates ON duplicates.hash = joined.hash WHERE copy = 1 ORDER BY joined.hash`;
  for await (const { hash, url, caption, cosine } of database.stream<Row>(sql)) {
    effects.signal.throwIfAborted();
    effects.drop('semantic-duplicate', { hash, url, text: caption, value: cosine.toFixed(6), threshold: from });
  }
  await database.run(`UPDATE joined SET copy = 0 WHERE copy = 1 AND hash IN (SELECT hash FROM (${duplicates}))`);
}
