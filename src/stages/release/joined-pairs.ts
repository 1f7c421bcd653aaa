import { ShardError } from '../../contracts/errors.ts';
import { setOfLanguage } from '../../contracts/records.ts';
import { sqlName, sqlParquet, sqlText, type WorkDatabase } from '../../formats/duckdb.ts';
import { type CarriedColumn, carriedColumns, carriedValue } from './carried-columns.ts';
import { type ParquetGroup, parquetGroups } from './parquet-groups.ts';

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

/** By which near-duplicates are found; read only for them, since whatever is read is part of a release's fingerprint. */
const looksColumn: typeof pairColumns = { phash: { type: 'VARCHAR', absent: 'NULL' } };

/** LAION's names of tags in its own tag files, and what a release calls them: `prediction` is the NSFW detector's. */
const laionTags: Readonly<Record<string, string>> = { prediction: 'punsafe' };

/** What was read, known by its content and not by its files: these depend on how batches were drawn. */
export interface JoinedInputs {
  /** Names of the heads in `tags/`, sorted. */
  heads: string[];
  carried: CarriedColumn[];
  pairs: { rows: number };
  tags: { rows: number };
}

/**
 * Fills the table `joined`: every pair with its tags, its set, its `shuffle_key` (the seeded order) and `copy`, which is 1
 * for the row that stays of those with one hash. That row is chosen by content, never by key, shard or file order.
 */
export async function joinPairs(
  database: WorkDatabase,
  {
    pairs,
    tags,
    foreignTags,
    seed,
    columns,
    withLooks,
  }: { pairs: readonly string[]; tags: readonly string[]; foreignTags: boolean; seed: number; columns: readonly string[]; withLooks: boolean },
): Promise<JoinedInputs> {
  const heads = await createTags(database, await parquetGroups(database, tags), foreignTags ? laionTags : {});
  const pairGroups = await parquetGroups(database, pairs);
  const carried = carriedColumns(pairGroups, columns, heads);
  await database.run(`CREATE VIEW pairs AS ${pairGroups.map((group) => selectPairs(group, carried, withLooks)).join(' UNION ALL ')}`);
  await createLanguageSets(database);
  const content = [...Object.keys(pairColumns).filter((name) => name !== 'hash'), ...carried.map(({ sql }) => sql), ...heads].map(sqlName);
  await database.run(`
    CREATE TABLE joined AS
    SELECT pairs.*, ${heads.map((head) => `tags.${sqlName(head)}, `).join('')}
      language_sets.set_name,
      md5(${sqlText(`${seed} `)} || pairs.hash) AS shuffle_key,
      row_number() OVER (PARTITION BY pairs.hash ORDER BY similarity DESC, ${content.join(', ')}) AS copy
    FROM pairs JOIN language_sets ON language_sets.name = pairs.language LEFT JOIN tags ON tags.hash = pairs.hash`);
  return { heads, carried, pairs: { rows: await countRows(database, 'pairs') }, tags: { rows: await countRows(database, 'tags') } };
}

async function countRows(database: WorkDatabase, table: string): Promise<number> {
  const [row] = await database.all<{ n: bigint }>(`SELECT count(*) AS n FROM ${table}`);
  return Number(row!.n);
}

function selectPairs(group: ParquetGroup, carried: readonly CarriedColumn[], withLooks: boolean): string {
  const missing = Object.entries(pairColumns).filter(([name, { absent }]) => absent === undefined && !group.columns.has(name));
  if (missing.length > 0) {
    throw new ShardError(
      `The pairs (${group.paths[0]} …) have no column ${missing.map(([name]) => name).join(', ')}. A release is made of what filter writes: run it first, or name its output with --input.`,
    );
  }
  const known = Object.entries({ ...pairColumns, ...(withLooks && looksColumn) }).map(([name, { type, absent }]) => {
    const found = group.columns.get(name);
    const value =
      found === undefined ? absent! : absent === undefined || absent === 'NULL' ? sqlName(found.name) : `coalesce(${sqlName(found.name)}, ${absent})`;
    return `${value}::${type} AS ${sqlName(name)}`;
  });
  const further = carried.map((column) => `${carriedValue(column, group)} AS ${column.sql}`);
  return `SELECT ${[...known, ...further].join(', ')} FROM ${sqlParquet(group.paths)}`;
}

/** Makes the view `tags`, a row a hash; returns the names of the heads. `names`: what columns are called in a release, where that differs. */
async function createTags(database: WorkDatabase, files: readonly ParquetGroup[], names: Readonly<Record<string, string>>): Promise<string[]> {
  const groups = files.map((group) => renamed(group, names));
  const lacking = groups.find(({ columns }) => !columns.has('hash'));
  if (lacking)
    throw new ShardError(
      `The tags (${lacking.paths[0]} …) have no column hash, by which they are joined. Make them with tag, or name another folder with --tags.`,
    );
  const scored = groups.flatMap(({ columns }) => [...columns].filter(([, { type }]) => type === 'FLOAT' || type === 'DOUBLE'));
  const heads = [...new Set(scored.map(([name]) => name))].sort();
  const selects = groups.map(({ paths, columns }) => {
    const values = heads.map((head) => `${columns.has(head) ? sqlName(columns.get(head)!.name) : 'NULL'}::FLOAT AS ${sqlName(head)}`);
    return `SELECT ${[`${sqlName(columns.get('hash')!.name)} AS hash`, ...values].join(', ')} FROM ${sqlParquet(paths)}`;
  });
  // max: should a hash be tagged twice, the choice does not depend on the order of the files.
  const scores = heads.map((head) => `max(${sqlName(head)}) AS ${sqlName(head)}`);
  await database.run(
    `CREATE VIEW tags AS ${selects.length > 0 ? `SELECT ${['hash', ...scores].join(', ')} FROM (${selects.join(' UNION ALL ')}) GROUP BY hash` : 'SELECT NULL::BIGINT AS hash WHERE false'}`,
  );
  return heads;
}

/** A file that has a column of the new name already keeps its own. */
function renamed({ paths, columns }: ParquetGroup, names: Readonly<Record<string, string>>): ParquetGroup {
  const nameOf = (name: string): string => (names[name] !== undefined && !columns.has(names[name]) ? names[name] : name);
  return { paths, columns: new Map([...columns].map(([name, column]) => [nameOf(name), column])) };
}

/** Fills the table `language_sets`: the set of each language that occurs. */
async function createLanguageSets(database: WorkDatabase): Promise<void> {
  await database.run('CREATE TABLE language_sets (name VARCHAR, set_name VARCHAR)');
  const languages = await database.all<{ language: string }>('SELECT DISTINCT language FROM pairs');
  if (languages.length === 0) return;
  const values = languages.map(({ language }) => `(${sqlText(language)}, '${setOfLanguage(language)}')`);
  await database.run(`INSERT INTO language_sets VALUES ${values.join(', ')}`);
}
