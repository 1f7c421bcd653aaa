import { ShardError } from '../../contracts/errors.ts';
import { sqlName, sqlParquet, sqlText, type WorkDatabase } from '../../formats/duckdb.ts';

/** Columns of `pairs/` that a release is made of, and what stands in for one that another tool's files lack. */
const pairColumns: Record<string, { type: string; absent?: string }> = {
  hash: { type: 'BIGINT' },
  url: { type: 'VARCHAR' },
  caption: { type: 'VARCHAR' },
  width: { type: 'INTEGER' },
  height: { type: 'INTEGER' },
  similarity: { type: 'FLOAT' },
  language: { type: 'VARCHAR', absent: "''" },
  licence: { type: 'VARCHAR', absent: 'NULL' },
  NSFW: { type: 'VARCHAR', absent: 'NULL' },
  page_url: { type: 'VARCHAR', absent: 'NULL' },
};

/** What was read, known by its content and not by its files: these depend on how batches were drawn. */
export interface JoinedInputs {
  /** Names of the heads in `tags/`, sorted. */
  heads: string[];
  pairs: { rows: number };
  tags: { rows: number };
}

/**
 * Fills the table `joined`: every pair with its tags, its set, its `place` in the seeded shuffle and `copy`, which is 1
 * for the row that stays of those with one hash. That row is chosen by content, never by key, shard or file order.
 */
export async function joinPairs(
  database: WorkDatabase,
  { pairs, tags, seed }: { pairs: readonly string[]; tags: readonly string[]; seed: number },
): Promise<JoinedInputs> {
  await database.run(`CREATE VIEW pairs AS SELECT ${await selectPairs(database, pairs)} FROM ${sqlParquet(pairs)}`);
  const heads = tags.length > 0 ? await headsOf(database, tags) : [];
  // max: should a hash be tagged twice, the choice does not depend on the order of the files.
  const scores = heads.map((head) => `max(${sqlName(head)})::FLOAT AS ${sqlName(head)}`);
  await database.run(
    `CREATE VIEW tags AS ${tags.length > 0 ? `SELECT ${['hash', ...scores].join(', ')} FROM ${sqlParquet(tags)} GROUP BY hash` : 'SELECT NULL::BIGINT AS hash WHERE false'}`,
  );
  const content = [...Object.keys(pairColumns).filter((name) => name !== 'hash'), ...heads].map(sqlName);
  await database.run(`
    CREATE TABLE joined AS
    SELECT pairs.*, ${heads.map((head) => `tags.${sqlName(head)}, `).join('')}
      CASE language WHEN 'en' THEN 'en' WHEN '' THEN 'nolang' ELSE 'multi' END AS set_name,
      md5(${sqlText(`${seed} `)} || pairs.hash) AS place,
      row_number() OVER (PARTITION BY pairs.hash ORDER BY similarity DESC, ${content.join(', ')}) AS copy
    FROM pairs LEFT JOIN tags ON tags.hash = pairs.hash`);
  return { heads, pairs: { rows: await countRows(database, 'pairs') }, tags: { rows: await countRows(database, 'tags') } };
}

async function countRows(database: WorkDatabase, table: string): Promise<number> {
  const [row] = await database.all<{ n: bigint }>(`SELECT count(*) AS n FROM ${table}`);
  return Number(row!.n);
}

async function columnsOf(database: WorkDatabase, paths: readonly string[]): Promise<Map<string, string>> {
  const rows = await database.all<{ column_name: string; column_type: string }>(`DESCRIBE SELECT * FROM ${sqlParquet(paths)}`);
  return new Map(rows.map(({ column_name, column_type }) => [column_name, column_type]));
}

async function selectPairs(database: WorkDatabase, paths: readonly string[]): Promise<string> {
  const present = await columnsOf(database, paths);
  const missing = Object.entries(pairColumns).filter(([name, { absent }]) => absent === undefined && !present.has(name));
  if (missing.length > 0) {
    throw new ShardError(
      `The pairs (${paths[0]} …) have no column ${missing.map(([name]) => name).join(', ')}. A release is made of what filter writes: run it first, or name its output with --input.`,
    );
  }
  return Object.entries(pairColumns)
    .map(([name, { type, absent }]) => {
      const value = present.has(name) ? (absent === undefined || absent === 'NULL' ? sqlName(name) : `coalesce(${sqlName(name)}, ${absent})`) : absent;
      return `${value}::${type} AS ${sqlName(name)}`;
    })
    .join(', ');
}

async function headsOf(database: WorkDatabase, paths: readonly string[]): Promise<string[]> {
  const columns = await columnsOf(database, paths);
  if (!columns.has('hash'))
    throw new ShardError(`The tags (${paths[0]} …) have no column hash, by which they are joined. Make them with tag, or name another folder with --tags.`);
  return [...columns]
    .filter(([, type]) => type === 'FLOAT' || type === 'DOUBLE')
    .map(([name]) => name)
    .sort();
}
