import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../contracts/errors.ts';
import { packageRoot } from '../contracts/package-root.ts';
import type { Database } from './client.ts';

/** Any number that nothing else on the server is likely to lock. */
const LOCK = 5_850_000_000n;

/**
 * Brings the database to the newest of sql/NNNNNN.sql, each in its own transaction; several processes may do it at
 * once. Throws UsageError where the database was made by a newer version, or by other files under the same numbers.
 */
export async function migrate(sql: Database): Promise<void> {
  const files = await migrations();
  const connection = await sql.reserve();
  try {
    await connection`SELECT pg_advisory_lock(${LOCK})`;
    await connection`CREATE SCHEMA IF NOT EXISTS pairmill`;
    await connection`CREATE TABLE IF NOT EXISTS pairmill.migrations (name text PRIMARY KEY, sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT now())`;
    const applied = new Map(
      (await connection<{ name: string; sha256: string }[]>`SELECT name, sha256 FROM pairmill.migrations`).map((row) => [row.name, row.sha256]),
    );
    for (const name of applied.keys()) {
      if (!files.some((file) => file.name === name))
        throw new UsageError(`The database was made by a newer version of pairmill (${name}). Update pairmill, or use another database.`);
    }
    for (const { name, text, sha256 } of files) {
      const before = applied.get(name);
      if (before === sha256) continue;
      if (before !== undefined) throw new UsageError(`The database was made with another ${name} than this version's. Use another database.`);
      // One message: a connection that is lost and made anew in the middle can't leave half of it.
      await connection.unsafe(`BEGIN; ${text}; INSERT INTO pairmill.migrations (name, sha256) VALUES ('${name}', '${sha256}'); COMMIT`).simple();
    }
  } catch (error) {
    await connection`ROLLBACK`.catch(() => undefined);
    throw error;
  } finally {
    await connection`SELECT pg_advisory_unlock(${LOCK})`.catch(() => undefined);
    connection.release();
  }
}

async function migrations(): Promise<{ name: string; text: string; sha256: string }[]> {
  const folder = join(packageRoot(), 'sql');
  const names = (await readdir(folder)).filter((name) => /^\d{6}\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(folder, name), 'utf8');
      return { name, text, sha256: createHash('sha256').update(text).digest('hex') };
    }),
  );
}
