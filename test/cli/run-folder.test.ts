import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateEmojiWeb } from '../../src/demo/generate.ts';
import { readParquet } from '../../src/formats/parquet.ts';
import { lockFolder } from '../../src/runtime/lock-folder.ts';
import { pairmill, root } from '../pipeline/pairmill.ts';

/** Where commands write, and where they write nothing. */
let base: string;
let wats: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-run-folder-'));
  await generateEmojiWeb({ folder: join(base, 'crawl'), candidates: 100, pictures: 60, crawlFiles: 1 });
  wats = join(base, 'crawl', 'wat');
  await writeFile(join(base, 'crawl', 'links.txt'), 'https://a.test/1.jpg\n');
}, 60_000);
afterAll(() => rm(base, { recursive: true, force: true }));

const demo = (runDir: string) => pairmill(['demo', '--no-serve', '--run-dir', runDir, '--candidates', '100']);

/** All below a folder. */
const below = async (folder: string): Promise<string[]> => (await readdir(folder, { recursive: true })).sort();

test('the demo writes nothing while another process has the run', async () => {
  const run = join(base, 'locked');
  const release = await lockFolder(run);
  try {
    const { code, err } = await demo(run);
    expect([code, err]).toEqual([2, expect.stringContaining(`Another pairmill process (pid ${process.pid}) works on ${run}`)]);
    expect(await below(run)).toEqual(['.lock', '.lock-owner']);
  } finally {
    await release();
  }
});

test.each([
  ['another crawl', 'extract', 'wat'],
  ['a list of links', 'list', 'links.txt'],
])('the demo leaves the folder of a run of %s as it is', async (name, stage, input) => {
  const run = join(base, name);
  const { code, err } = await pairmill([stage, '--input', join(base, 'crawl', input), '--run-dir', run]);
  expect(code, err).toBe(0);
  const before = await below(run);
  const refused = await demo(run);
  expect([refused.code, refused.err]).toEqual([2, expect.stringMatching(/is the run of .* Give the demo another folder with --run-dir/)]);
  expect(await below(run)).toEqual(before);
});

test('a stage with --input and --output makes nothing in the current directory, and locks the output', async () => {
  const [cwd, output] = [join(base, 'cwd'), join(base, 'candidates')];
  await mkdir(cwd);
  const extract = (): Promise<number | null> =>
    new Promise((resolve) => {
      const child = execFile(process.execPath, [join(root, 'bin', 'pairmill.js'), 'extract', '--input', wats, '--output', output], { cwd });
      child.on('close', resolve);
    });
  expect(await extract()).toBe(0);
  expect(await readdir(cwd)).toEqual([]);
  expect(await readdir(output)).toContain('00000.parquet');
  const release = await lockFolder(output);
  expect(await extract()).toBe(2);
  await release();
});

test('where nothing was filtered, tag finds the pictures in samples/, also after commands that know nothing of them', async () => {
  const [photos, run] = [join(base, 'photos'), join(base, 'unfiltered')];
  await mkdir(photos);
  for (const name of ['123_456.jpg', '456_123.jpg']) await cp(join(root, 'models/references', name), join(photos, name));
  const succeed = async (...args: string[]): Promise<string> => {
    const { code, err } = await pairmill([...args, '--run-dir', run, '--model', 'mini']);
    expect(code, err).toBe(0);
    return err;
  };
  await succeed('run', '--input', photos, '--until', 'embed');
  await succeed('index');
  // release needs what filter writes.
  expect(await succeed('tag', '--image-models', 'nsfw_pixels')).not.toContain('Next: ');
  expect(JSON.parse(await readFile(join(run, 'run.json'), 'utf8'))).toMatchObject({ datasets: { pairs: 'samples', samples: 'samples' } });
  const [row] = await Array.fromAsync(readParquet(join(run, 'tags/00000.parquet')));
  expect(row).toMatchObject({ nsfw_pixels_neutral: expect.any(Number) as number });
  expect(await succeed('embed')).toContain('Nothing was to be done');
});
