import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, type TestContext } from 'vitest';

const repository = join(import.meta.dirname, '..', '..');

/** A package of ours in a folder of its own: the launcher, and what is given as sources and as dist/. */
async function makePackage({
  source,
  built,
  installed = false,
  dependencies = true,
}: {
  source?: string;
  built?: string;
  installed?: boolean;
  dependencies?: boolean;
}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pairmill-launcher-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const root = installed ? join(folder, 'node_modules', 'pairmill') : folder;
  await mkdir(root, { recursive: true });
  await writeFile(join(root, 'package.json'), '{"name": "pairmill", "type": "module"}');
  await cp(join(repository, 'bin', 'pairmill.js'), join(root, 'bin', 'pairmill.js'));
  if (dependencies) await symlink(join(repository, 'node_modules'), join(root, 'node_modules'));
  for (const [path, text] of [
    ['src/cli/main.ts', source],
    ['dist/src/cli/main.js', built],
  ] as const) {
    if (text === undefined) continue;
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return join(root, 'bin', 'pairmill.js');
}

/** A Node that is older than 24, which the machine has beside the package's. */
function oldNode(context: TestContext): string {
  const node = ['/usr/bin/node', '/usr/local/bin/node', process.env.PAIRMILL_OLD_NODE].find((path) => {
    const { stdout } = spawnSync(path ?? '', ['--version'], { encoding: 'utf8' });
    return stdout !== null && /^v2[0-3]\./.test(stdout);
  });
  return node ?? context.skip('no Node 20 to 23 on this machine (set PAIRMILL_OLD_NODE to one)');
}

const report = 'const text: string = JSON.stringify([process.version, process.argv.slice(2)]); console.log(text);';

test('in a clone the sources are started with the arguments', async () => {
  const launcher = await makePackage({ source: report, built: 'console.log("dist")' });
  expect(execFileSync(process.execPath, [launcher, 'run', '--a b'], { encoding: 'utf8' })).toBe(`["${process.version}",["run","--a b"]]\n`);
});

test('as installed, dist/ is started, whatever else lies there', async () => {
  const launcher = await makePackage({ source: report, built: 'console.log("dist")', installed: true });
  expect(execFileSync(process.execPath, [launcher], { encoding: 'utf8' })).toBe('dist\n');
});

test('an incomplete package says so', async () => {
  const launcher = await makePackage({ installed: true });
  const { status, stderr } = spawnSync(process.execPath, [launcher], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^pairmill: .*main\.js is missing\. Install the package again\.\n$/);
});

describe('under an older Node', () => {
  test('runs on the Node of the platform package, with the arguments, standard input and exit code', async (context) => {
    const launcher = await makePackage({ source: `${report} process.stdin.pipe(process.stdout); process.stdin.on('end', () => { process.exitCode = 3; });` });
    const { status, stdout, stderr } = spawnSync(oldNode(context), [launcher, 'x'], { encoding: 'utf8', input: 'typed' });
    expect(stdout).toMatch(/^\["v(2[4-9]|[3-9]\d)\..*",\["x"\]\]\ntyped$/);
    expect({ status, stderr }).toEqual({ status: 3, stderr: '' });
  });

  test('says what is missing without that package', async (context) => {
    const node = oldNode(context);
    const launcher = await makePackage({ source: report, dependencies: false });
    const { status, stderr } = spawnSync(node, [launcher], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^pairmill: Node 24 or newer is needed\. This is v2\d\..*, and the package node-\S+ is not installed.*\n$/);
  });

  test('ends by the signal that ended the child', async (context) => {
    const launcher = await makePackage({ source: "process.kill(process.pid, 'SIGKILL'); setInterval(() => undefined, 1000);" });
    expect(spawnSync(oldNode(context), [launcher]).signal).toBe('SIGKILL');
  });

  test.for(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('passes %s on and waits for the clean-up', async (signal, context) => {
    const launcher = await makePackage({
      source: `process.on('${signal}', () => setTimeout(() => { console.log('cleaned'); process.exit(7); }, 200)); console.log('up'); setInterval(() => undefined, 1000);`,
    });
    const child = spawn(oldNode(context), [launcher], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    await once(child.stdout, 'data');
    child.kill(signal);
    const [code] = (await once(child, 'close')) as [number];
    expect({ output, code }).toEqual({ output: 'up\ncleaned\n', code: 7 });
  });

  test.for(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)('ends by %s where the child has not caught it', async (signal, context) => {
    const launcher = await makePackage({ source: 'console.log("up"); setInterval(() => undefined, 1000);' });
    const child = spawn(oldNode(context), [launcher], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    child.kill(signal);
    expect(await once(child, 'close')).toEqual([null, signal]);
  });

  describe('in a terminal', () => {
    /** Says the launcher's process id and, a second after the first SIGINT, how many came and within how many milliseconds. */
    const counting = `
      const times = [];
      process.on('SIGINT', () => {
        if (times.push(Date.now()) > 1) return;
        setTimeout(() => { console.log('got ' + times.length + ' in ' + (times.at(-1) - times[0])); process.exit(130); }, 1000);
      });
      console.log('launcher ' + process.ppid);
      setInterval(() => undefined, 1000);`;

    async function interrupted(
      context: TestContext,
      interrupt: (launcher: number, type: (text: string) => void) => void,
    ): Promise<{ count: number; within: number }> {
      const launcher = await makePackage({ source: counting });
      const node = oldNode(context);
      if (spawnSync('script', ['--version']).status !== 0) return context.skip('no `script` of util-linux on this machine, which makes a terminal');
      const terminal = spawn('script', ['-qec', `exec ${node} ${launcher}`, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
      onTestFinished(() => void terminal.kill('SIGKILL'));
      let output = '';
      terminal.stdout.on('data', (data: Buffer) => {
        const before = /launcher (\d+)/.test(output);
        output += data.toString();
        const pid = /launcher (\d+)\r?\n/.exec(output)?.[1];
        if (pid && !before) interrupt(Number(pid), (text) => terminal.stdin.write(text));
      });
      await once(terminal, 'close');
      const [, count, within] = /got (\d+) in (\d+)/.exec(output) ?? [];
      return { count: Number(count), within: Number(within) };
    }

    test('a SIGINT that was sent to the launcher alone reaches the child', async (context) => {
      expect(await interrupted(context, (pid) => process.kill(pid, 'SIGINT'))).toEqual({ count: 1, within: 0 });
    });

    test('Ctrl-C reaches the child, the second time so soon that main.ts takes it for one', async (context) => {
      const { count, within } = await interrupted(context, (_pid, type) => type('\u0003'));
      expect(count).toBeGreaterThanOrEqual(1);
      expect(within).toBeLessThan(300);
    });
  });

  test('kill -9 of the process group leaves nothing', async (context) => {
    const launcher = await makePackage({ source: 'console.log(process.pid); setInterval(() => undefined, 1000);' });
    const child = spawn(oldNode(context), [launcher], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    const [data] = (await once(child.stdout, 'data')) as [Buffer];
    process.kill(-child.pid!, 'SIGKILL');
    await once(child, 'close');
    await sleep(100);
    // Empty for a zombie that nobody has reaped yet.
    expect(await readFile(`/proc/${Number(data.toString())}/cmdline`, 'utf8').catch(() => '')).toBe('');
  });
});

test('what Node has compiled is kept below the home, on both Nodes; a home that can not be written to changes nothing', async (context) => {
  const launcher = await makePackage({ source: 'const cache: string | undefined = process.env.NODE_COMPILE_CACHE; console.log(cache);' });
  const home = await mkdtemp(join(tmpdir(), 'pairmill-home-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const start = (node: string, HOME: string): string =>
    execFileSync(node, [launcher], { encoding: 'utf8', env: { PATH: process.env['PATH'], HOME }, timeout: 30_000 }).trim();
  const kept = join(home, '.cache/pairmill/compiled');
  expect(start(process.execPath, home)).toBe(kept);
  expect(await readdir(kept)).not.toEqual([]);
  expect(start(process.execPath, '/proc')).toBe('undefined');
  expect(start(oldNode(context), home)).toBe(kept);
});
