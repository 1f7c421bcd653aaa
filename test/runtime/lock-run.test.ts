import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Storage } from '../../src/contracts/storage.ts';
import { RunError, UsageError } from '../../src/contracts/errors.ts';
import type { PrefixLockSettings } from '../../src/runtime/lock-prefix.ts';
import { lockRun } from '../../src/runtime/lock-run.ts';
import { openStorage } from '../../src/storage/open-storage.ts';
import { environmentOf, withoutAws } from '../storage/aws-environment.ts';
import { type S3Server, startS3Server } from '../storage/s3-server.ts';

withoutAws();

const times = { expiresMs: 2_000, renewMs: 300, lookMs: 100 } satisfies PrefixLockSettings;
const LOCK = 'run/_lock.json';

const openRun = async (): Promise<{ server: S3Server; storage: Storage }> => {
  const server = await startS3Server();
  return { server, storage: await openStorage('s3://crawl/run', environmentOf(server)) };
};
/** The lock of a process that was killed. */
const leaveLock = (server: S3Server): void => void server.objects.set(LOCK, Buffer.from(JSON.stringify({ owner: 'x', who: 'pid 1 on far', renewals: 3 })));

describe('the lock of a run in S3', () => {
  it('is given to one, and to the next when it is released', async () => {
    const { server, storage } = await openRun();
    const first = await lockRun(storage, times);
    await expect(lockRun(storage, times)).rejects.toThrow(/^Another pairmill process \(pid \d+ on .+\) works on s3:\/\/crawl\/run\. Wait for it/);
    await first.release();
    expect(server.objects.has(LOCK)).toBe(false);
    await (await lockRun(storage, times)).release();
  });

  it('is taken over where its owner was killed, by one of several, which keeps it', async () => {
    const { server, storage } = await openRun();
    leaveLock(server);
    const notes: string[] = [];
    const tries = await Promise.allSettled(Array.from({ length: 4 }, () => lockRun(storage, { ...times, note: (line) => notes.push(line) })));
    const taken = tries.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(taken).toHaveLength(1);
    for (const each of tries) if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(UsageError);
    expect(notes).toContain('s3://crawl/run is locked by another pairmill process (pid 1 on far). If it was killed, this one goes on in 2 s.');
    expect(await Promise.race([taken[0]!.lost, wait(3_000, 'kept')])).toBe('kept');
    await taken[0]!.release();
    expect(server.objects.has(LOCK)).toBe(false);
  });

  it('is taken over by one of several also where the service knows no conditional writes', async () => {
    const { server, storage } = await openRun();
    leaveLock(server);
    server.refuses = ({ headers }) => headers['if-match'] !== undefined && 'NotImplemented';
    const tries = await Promise.allSettled(Array.from({ length: 3 }, () => lockRun(storage, { ...times, lookMs: 300 })));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('is taken where the object is no lock of ours', async () => {
    const { server, storage } = await openRun();
    server.objects.set(LOCK, Buffer.from('no lock'));
    const lock = await lockRun(storage, times);
    expect(JSON.parse(server.objects.get(LOCK)!.toString())).toMatchObject({ who: expect.stringContaining(`pid ${process.pid}`) as string });
    await lock.release();
  });

  it('is lost to who has taken it, and then left to that', async () => {
    const { server, storage } = await openRun();
    const lock = await lockRun(storage, times);
    leaveLock(server);
    await expect(lock.lost).rejects.toThrow(/was taken by another process \(pid 1 on far\)\. This one stops/);
    await lock.release();
    expect(server.objects.has(LOCK)).toBe(true);
  });

  it('is given up before another may take it where it can not be renewed', async () => {
    const { server, storage } = await openRun();
    const lock = await lockRun(storage, times);
    server.refuses = () => true;
    const failure = await lock.lost.catch((error: unknown) => error as Error);
    expect(failure).toBeInstanceOf(RunError);
    expect(failure.message).toMatch(/could not be renewed for .* s\. Start the same command again/);
    server.refuses = () => false;
    await lock.release();
  });

  it('ends the waiting at a signal', async () => {
    const { server, storage } = await openRun();
    leaveLock(server);
    await expect(lockRun(storage, { ...times, signal: AbortSignal.timeout(300) })).rejects.toThrow('Stopped while waiting for the lock');
    expect(server.objects.get(LOCK)!.toString()).toContain('far');
  });
});
