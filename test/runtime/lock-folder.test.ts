import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { UsageError } from '../../src/contracts/errors.ts';
import { lockFolder } from '../../src/runtime/lock-folder.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'pairmill-lock-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const lockModule = JSON.stringify(new URL('../../src/runtime/lock-folder.ts', import.meta.url).href);

/** A process that locks when told to, at a given instant, and says whether it got in. */
async function startContender(): Promise<ChildProcess> {
  const path = join(folder, `contender-${Math.random()}.mjs`);
  await writeFile(
    path,
    `import { lockFolder } from ${lockModule};
    let release;
    process.on('message', async ({ folder, at }) => {
      if (!folder) { await release?.(); release = undefined; return process.send({ released: true }); }
      while (Date.now() < at);
      try { release = await lockFolder(folder); process.send({ got: true }); } catch (error) { process.send({ got: false, message: error.message }); }
    });
    process.send('up');`,
  );
  const child = fork(path);
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

interface Answer {
  got?: boolean;
  message?: string;
}

async function tell(child: ChildProcess, message: object): Promise<Answer> {
  const answer = once(child, 'message');
  child.send(message);
  return ((await answer) as [Answer])[0];
}

/** Runs `lockFolder` in a process of its own after `before`, and returns how it ended. */
function lockElsewhere(target: string, before = ''): string {
  const script = `import { lockFolder } from ${lockModule}; ${before}
    try { await lockFolder(${JSON.stringify(target)}); console.log('locked'); } catch (error) { console.log(error.name + ': ' + error.message); }`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout.trim();
}

test('a second process is refused at once with the pid of the first, and gets in after the release', async () => {
  const release = await lockFolder(folder);
  const start = Date.now();
  expect(lockElsewhere(folder)).toBe(
    `UsageError: Another pairmill process (pid ${process.pid}) works on ${folder}. Wait for it, stop it, or give another --run-dir.`,
  );
  expect(Date.now() - start).toBeLessThan(5_000);
  await release();
  expect(lockElsewhere(folder)).toBe('locked');
});

test('a second lock in the same process is refused and leaves the first in place', async () => {
  const release = await lockFolder(folder);
  await expect(lockFolder(join(folder, '.'))).rejects.toThrow(UsageError);
  expect(lockElsewhere(folder)).toContain(`pid ${process.pid}`);
  await release();
  await release();
  await (
    await lockFolder(folder)
  )();
});

test('the release leaves nothing', async () => {
  const run = join(folder, 'a', 'run');
  await (
    await lockFolder(run)
  )();
  expect(await readdir(run)).toEqual([]);
});

test.each(['', '4711 123456', 'x'.repeat(10_000), `SQLite format 3\0${'\xff'.repeat(2_000)}`])(
  'a lock file of a process that is gone is none: %#',
  async (content) => {
    await writeFile(join(folder, '.lock'), content, 'latin1');
    await writeFile(join(folder, '.lock-owner'), content, 'latin1');
    const release = await lockFolder(folder);
    expect(lockElsewhere(folder)).toContain(`pid ${process.pid}`);
    await release();
  },
);

test('the lock dies with its process', async () => {
  const [child, second] = [await startContender(), await startContender()];
  const run = join(folder, 'run');
  expect(await tell(child, { folder: run, at: 0 })).toEqual({ got: true });
  expect(await tell(second, { folder: run, at: 0 })).toMatchObject({ got: false, message: expect.stringContaining(`pid ${child.pid})`) });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await tell(second, { folder: run, at: 0 })).toEqual({ got: true });
});

test('a lock belongs to its folder: a copy of a locked one is not locked', async () => {
  const run = join(folder, 'run');
  const release = await lockFolder(run);
  // Not from this process: closing the file that it reads would give up the lock.
  expect(spawnSync('cp', ['-a', run, join(folder, 'copy')]).status).toBe(0);
  expect(lockElsewhere(join(folder, 'copy'))).toBe('locked');
  expect(lockElsewhere(run)).toContain('Another pairmill process');
  await release();
});

test('of two that start at the same instant one gets in, whatever lock files are there', async () => {
  const contenders = [await startContender(), await startContender()];
  const gone = spawnSync('true').pid;
  const states = [undefined, '', 'garbage', `${gone} 12345`, JSON.stringify({ pid: gone, host: 'x' })];
  for (let round = 0; round < 40; round++) {
    // Four rounds in a folder: from the second on they meet the releases of the round before.
    const run = join(folder, `run-${Math.floor(round / 4)}`);
    await mkdir(run, { recursive: true });
    const state = states[round % states.length];
    if (state !== undefined) for (const name of ['.lock', '.lock-owner']) await writeFile(join(run, name), state);
    const at = Date.now() + 20;
    const answers = await Promise.all(contenders.map((child) => tell(child, { folder: run, at })));
    expect(
      answers.filter(({ got }) => got),
      `round ${round}: ${JSON.stringify(answers)}`,
    ).toHaveLength(1);
    await Promise.all(contenders.map((child) => tell(child, {})));
  }
});

test('of many that lock and release without a pause, no two are ever in', async () => {
  const script = join(folder, 'loop.mjs');
  await mkdir(join(folder, 'run'));
  await writeFile(
    script,
    `import { lockFolder } from ${lockModule};
    import { openSync, closeSync, rmSync } from 'node:fs';
    const inside = ${JSON.stringify(join(folder, 'inside'))};
    let entered = 0;
    for (const end = Date.now() + 3000; Date.now() < end; ) {
      let release;
      try { release = await lockFolder(${JSON.stringify(join(folder, 'run'))}); } catch (error) { if (!/Another pairmill/.test(error.message)) throw error; continue; }
      closeSync(openSync(inside, 'wx'));
      entered++;
      rmSync(inside);
      await release();
    }
    console.log(entered);`,
  );
  const children = Array.from({ length: 3 }, () => spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const results = await Promise.all(
    children.map(async (child) => {
      let output = '';
      child.stdout.on('data', (data: Buffer) => (output += data.toString()));
      const [code] = (await once(child, 'close')) as [number];
      return { code, entered: Number(output) };
    }),
  );
  expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(results.reduce((sum, { entered }) => sum + entered, 0)).toBeGreaterThan(20);
});

test('a path that is no folder is named', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(lockFolder(join(folder, 'file'))).rejects.toThrow(new UsageError(`${folder}/file can't be locked: it is no folder. Give another --run-dir.`));
  await expect(lockFolder(join(folder, 'file', 'run'))).rejects.toThrow(/it is no folder/);
});

test.runIf(process.getuid?.() === 0)('a folder of another user is named', async () => {
  expect(lockElsewhere(folder, 'process.setuid(65534);')).toBe(
    `UsageError: ${folder} can't be locked: this user may not write there. Run as its owner, or give another --run-dir.`,
  );
});

test.for([
  ['ro', 'UsageError', 'it lies on a read-only file system. Give another --run-dir.'],
  ['nr_inodes=1', 'RunError', 'its disk is full. Make room there, then start the same command again.'],
] as const)('a file system that takes no file is named: %s', ([option, name, reason], context) => {
  const script = `import { lockFolder } from ${lockModule}; 
    for (const folder of ${JSON.stringify([folder, join(folder, 'a', 'run')])}) await lockFolder(folder).catch((error) => console.log(error.name + ': ' + error.message));`;
  const command = 'mount -t tmpfs -o "$1" none "$2" || exit 77; shift 2; exec "$@"';
  const args = ['-rm', 'sh', '-c', command, 'sh', option, folder, process.execPath, '--input-type=module', '-e', script];
  const { status, stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
  if (status === 77 || stderr.startsWith('unshare:')) return context.skip('no mounts in a user namespace here');
  expect(stdout).toBe(`${name}: ${folder} can't be locked: ${reason}\n${name}: ${folder}/a/run can't be locked: ${reason}\n`);
});
