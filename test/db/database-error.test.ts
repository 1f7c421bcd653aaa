import postgres from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type PairmillError, RunError, ShardError, UsageError } from '../../src/contracts/errors.ts';
import { connect } from '../../src/db/client.ts';
import { databaseError } from '../../src/db/database-error.ts';
import { startEmbedded } from '../../src/db/embedded.ts';
import { embeddedDatabases, temporaryFolder } from './harness.ts';

const databases = embeddedDatabases();

async function asOurs(query: PromiseLike<unknown>): Promise<PairmillError> {
  return databaseError("Batch 3 can't be drawn", await Promise.resolve(query).catch((error: unknown) => error));
}

describe('ends the run', () => {
  test.each([
    ['53100', 'the disk of the database is full', 'Make room on it. '],
    ['53200', 'the database has not enough memory', 'Free some. '],
    ['53300', 'the database has no connection left', 'End other programs that use it, or raise its max_connections. '],
    ['57P03', 'the database is shutting down or starting', ''],
    ['57P01', 'the database is shutting down or starting', ''],
    ['58030', "the database can't read or write its files", 'Look at its disk. '],
  ])('at %s: %s', async (code, happened, next) => {
    const sql = await databases.fresh();
    const error = await asOurs(sql.unsafe(`DO $$ BEGIN RAISE EXCEPTION 'as it says' USING ERRCODE = '${code}'; END $$`));
    expect(error).toEqual(new RunError(`Batch 3 can't be drawn: ${happened} (as it says). ${next}Nothing is lost: the same command goes on from here.`));
  });

  test('where its disk has become read-only, which PostgreSQL calls a lack of privileges', () => {
    const error = Object.assign(new Error('could not open file "base/5/16437": Read-only file system'), { code: '42501' });
    expect(databaseError("Batch 3 can't be drawn", error)).toEqual(
      new RunError(
        'Batch 3 can\'t be drawn: the disk of the database has become read-only (could not open file "base/5/16437": Read-only file system). Look at that disk (dmesg may say why). Nothing is lost: the same command goes on from here.',
      ),
    );
  });

  test('where the server is killed under a query, and where its socket is gone', async () => {
    const server = await startEmbedded({ folder: await temporaryFolder() });
    const sql = await connect(server.url, { max: 1 });
    const query = sql`SELECT pg_sleep(30)`.execute();
    setTimeout(() => process.kill(server.pid, 'SIGKILL'), 200);
    expect(await asOurs(query)).toMatchObject({
      name: 'RunError',
      message: expect.stringMatching(/: the connection to the database was lost \(.*Nothing is lost/),
    });
    await server.stop();
    expect(await asOurs(sql`SELECT 1`)).toMatchObject({ name: 'RunError', message: expect.stringMatching(/lost \(.*(ENOENT|ECONN|CONNECTION)/) });
    await sql.end({ timeout: 0 });
  });

  test('where nothing listens at its port', async () => {
    const sql = postgres('postgres://nobody@127.0.0.1:1/none', { max: 1 });
    onTestFinished(() => sql.end({ timeout: 0 }));
    expect(await asOurs(sql`SELECT 1`)).toBeInstanceOf(RunError);
  });
});

describe('does not end the run', () => {
  test('at an error of the query: it is the shard’s', async () => {
    const sql = await databases.fresh();
    expect(await asOurs(sql`SELECT 1 / 0`)).toEqual(new ShardError("Batch 3 can't be drawn: division by zero"));
  });

  test('at a file that is missing', () => {
    const error = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', syscall: 'open' });
    expect(databaseError('x', error)).toBeInstanceOf(ShardError);
  });

  test('and an error of ours comes back as it is', () => {
    const error = new UsageError('x');
    expect(databaseError('y', error)).toBe(error);
  });
});
