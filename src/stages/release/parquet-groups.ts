import { sqlParquet, type WorkDatabase } from '../../formats/duckdb.ts';
import { parquetElements } from '../../formats/parquet.ts';

/** Parquet files with the same columns in the same order. */
export interface ParquetGroup {
  readonly paths: readonly string[];
  /** By the name in the file: DuckDB's name and type. It does not tell `WIDTH` from `width`, and calls the second `width_1`. */
  readonly columns: ReadonlyMap<string, { name: string; type: string }>;
}

/**
 * Files by their columns, groups in the order of their first files. Shards of one dataset can differ in columns (users bring their
 * own), and DuckDB's union by name would take one file's `WIDTH` for another's `width`: so each group is read by itself.
 */
export async function parquetGroups(database: WorkDatabase, paths: readonly string[]): Promise<ParquetGroup[]> {
  const groups = new Map<string, { names: string[]; paths: string[] }>();
  for (const path of paths) {
    const elements = await parquetElements(path);
    const key = JSON.stringify(elements);
    const group = groups.get(key) ?? { names: elements.map(({ name }) => name), paths: [] };
    group.paths.push(path);
    groups.set(key, group);
  }
  const described: ParquetGroup[] = [];
  for (const { names, paths: like } of groups.values()) {
    const rows = await database.all<{ column_name: string; column_type: string }>(`DESCRIBE SELECT * FROM ${sqlParquet(like.slice(0, 1))}`);
    described.push({ paths: like, columns: new Map(names.map((name, i) => [name, { name: rows[i]!.column_name, type: rows[i]!.column_type }])) });
  }
  return described;
}
