import { UsageError } from '../../contracts/errors.ts';
import type { Effects } from '../../contracts/stage.ts';
import type { WorkDatabase } from '../../formats/duckdb.ts';
import { HashNeighbours, splitHash } from '../../pictures/hash-neighbours.ts';

/** Pairs that are in memory at a time. */
const PAGE = 20_000;

interface Row {
  hash: bigint;
  phash: string;
  url: string;
  caption: string;
}

/**
 * Drops pairs whose picture looks like that of a pair that stays: in the order of their hashes, each is kept unless its perceptual hash
 * differs in at most `distance` bits from one that was kept. So the smallest hash stays, and nothing depends on shards or files. Sets
 * `copy` to 0 in the table `joined`, of which `copy` = 1 stays. Memory: 24 bytes a pair, beside that of the database.
 */
export async function dropNearDuplicates(database: WorkDatabase, distance: number, effects: Effects<'release'>): Promise<void> {
  const [counted] = await database.all<{ n: bigint }>('SELECT count(phash) AS n FROM joined');
  if (counted!.n === 0n)
    throw new UsageError('--drop-near-duplicates: the pairs have no column phash, which download writes by default. Leave it out, or download with --phash.');
  const kept = new HashNeighbours(distance);
  await database.run('CREATE TABLE near_duplicates (hash BIGINT)');
  await database.run('CREATE TABLE looks AS SELECT hash, phash, url, caption FROM joined WHERE copy = 1 AND phash IS NOT NULL ORDER BY hash');
  for (let start = 0; ; start += PAGE) {
    effects.signal.throwIfAborted();
    const page = await database.all<Row>(`SELECT * FROM looks WHERE rowid >= ${start} AND rowid < ${start + PAGE} ORDER BY hash`);
    if (page.length === 0) break;
    const dropped: bigint[] = [];
    for (const { hash, phash, url, caption } of page) {
      const halves = splitHash(phash);
      const near = kept.nearest(...halves);
      if (near) {
        dropped.push(hash);
        effects.drop('near-duplicate', { hash, url, text: caption, value: String(near.bits), threshold: String(distance) });
      } else kept.add(...halves);
    }
    if (dropped.length > 0) await database.run(`INSERT INTO near_duplicates VALUES ${dropped.map((hash) => `(${hash})`).join(', ')}`);
  }
  await database.run('DROP TABLE looks');
  await database.run('UPDATE joined SET copy = 0 WHERE copy = 1 AND hash IN (SELECT hash FROM near_duplicates)');
}
