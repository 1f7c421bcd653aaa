import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { commandLine, type Ended } from './command-line.ts';

/**
 * What people get wrong, and what they read then: the subject, what happened, and the next step. BASE is the folder in which the
 * commands are typed. None of them makes anything.
 */
let base: string;
let before: string[];
const cwd = process.cwd();
const NOBODY = 65_534;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-mistakes-'));
  await chmod(base, 0o755);
  process.chdir(base);
  for (const folder of ['folder', 'crawl', 'cut', 'secret']) await mkdir(folder);
  const wet = ['warcinfo', 'conversion'].map((type) => `WARC/1.0\r\nWARC-Type: ${type}\r\nContent-Length: 0\r\n\r\n\r\n\r\n`).join('');
  const files = {
    file: 'x',
    'README.md': '# Read me\n',
    'urls.csv': 'url\nhttp://a.test/1.jpg\n',
    'old.arc.gz': gzipSync('filedesc://old.arc 0.0.0.0 20080430204825 text/plain 1\n'),
    'text.warc.wet.gz': gzipSync(wet),
    'refused.warc.gz': gzipSync('<!doctype html><title>403 Forbidden</title>'),
    'crawl/00000.warc.wat.gz': gzipSync('WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n'),
    'run.yaml': 'input: crawl\nlist:\n  langage: en\n',
    'mapping.yaml': '- input\n',
    'stage.yaml': 'input: crawl\nfilter: mini\n',
    'cut/run.json': '{"format": 1, "ver',
  };
  for (const [name, content] of Object.entries(files)) await writeFile(name, content);
  before = (await readdir(base, { recursive: true })).sort();
  await chmod('secret', 0o000);
});
afterAll(async () => {
  process.chdir(cwd);
  await rm(base, { recursive: true, force: true });
});

async function typed(line: string, environment: Record<string, string> = {}): Promise<Ended> {
  const ended = await commandLine(line.split(' ').filter(Boolean), environment);
  return { ...ended, err: ended.err.replaceAll(base, 'BASE').trimEnd() };
}

/** As a user who may read and write what everybody may: root may do all. */
async function typedByAnother(line: string): Promise<Ended> {
  if (process.geteuid?.() !== 0) return typed(line);
  process.seteuid!(NOBODY);
  try {
    return await typed(line);
  } finally {
    process.seteuid!(0);
  }
}

const to = '--output out';

const mistakes: Record<string, [line: string, message: string][]> = {
  'words that are no command or option': [
    ['extrct', 'pairmill: unknown command "extrct". Did you mean extract? pairmill --help lists the commands.'],
    [
      'extract --min-text-lenght 3',
      'pairmill extract: unknown option --min-text-lenght. Did you mean --min-text-length? pairmill extract --help lists its options.',
    ],
    [
      'extract --db postgres://localhost/x',
      'pairmill extract: unknown option --db. It is one of pairmill demo, pairmill run, pairmill ingest, pairmill draw, pairmill task. pairmill extract --help lists its options.',
    ],
    [
      'download --no-timeout',
      'pairmill download: unknown option --no-timeout. --timeout takes a value, so it has no --no-timeout. pairmill download --help lists its options.',
    ],
    ['extract crawl', 'pairmill extract: unexpected argument "crawl". Name files with --input. pairmill extract --help lists its options.'],
    [
      `extract --input crawl/0.gz crawl/1.gz crawl/2.gz ${to}`,
      'pairmill extract: --input takes one value, and 2 further words follow, the first "crawl/1.gz". If you wrote a pattern, the shell has spread it: put it in quotes, as in --input "folder/*.gz".',
    ],
    ['completion tcsh', 'pairmill completion takes the name of a shell: bash, zsh, fish (given: tcsh).'],
    ['task folder filter', 'pairmill task takes a run, a stage and the number of a shard: pairmill task RUN filter 00003.'],
  ],
  'values that an option does not take': [
    ['extract --min-text-length three', 'pairmill: --min-text-length: expected a number (given: "three")'],
    ['extract --min-text-length -1', 'pairmill: --min-text-length: expected a number of at least 0 (given: -1)'],
    ['extract --min-text-length 2.5', 'pairmill: --min-text-length: expected a whole number (given: 2.5)'],
    ['filter --threshold', 'pairmill filter: --threshold needs a value. Give it as --threshold=VALUE. pairmill filter --help lists its options.'],
    ['filter --threshold -2', 'pairmill: --threshold: expected a number of at least -1 (given: -2)'],
    ['demo --port 70000', 'pairmill: --port: expected a number of at most 65535 (given: 70000)'],
    ['extract --language-detector fastext', 'pairmill: --language-detector: expected one of fasttext, cld3, eld, none (given: "fastext")'],
    ['download --robots-txt=maybe', 'pairmill download: --robots-txt is a switch and takes no value. Give --robots-txt or --no-robots-txt.'],
    [`extract --input crawl ${to} --skip-failed=5`, 'pairmill: --skip-failed: expected a share such as 1% (given: "5")'],
    [
      `download --input crawl/00000.warc.wat.gz ${to} --retry-failed tmeout`,
      'pairmill: --retry-failed: "tmeout" is no reason for which download drops links. Did you mean timeout? Those that may pass are dns-failed, connection-failed, timeout, http-too-many-requests, http-server-error; docs/formats.md lists all.',
    ],
    [
      `download --input crawl/00000.warc.wat.gz ${to} --retry-failed 5xx,duplicate`,
      'pairmill: --retry-failed duplicate: such a link came before in the same shard, and was tried there. Name the reason for which that one failed.',
    ],
    [`extract --input crawl ${to} --redo extrakt`, 'pairmill: --redo: this command has no stage "extrakt". Did you mean extract? It has extract, all.'],
    [`extract --input crawl ${to} --redo extract, filtr`, 'pairmill: --redo: this command has no stage "filtr". It has extract, all.'],
  ],
  'what is to be read': [
    [`extract --input nothing.wat.gz ${to}`, 'pairmill: --input: there is no BASE/nothing.wat.gz. Check the path; a relative one begins at BASE.'],
    [
      `extract --input folder/*.gz ${to}`,
      'pairmill: No crawl file matches BASE/folder/*.gz. Give WAT or WARC files (paths, globs, folders, URLs) with --input.',
    ],
    [`extract --input README.md ${to}`, 'pairmill: BASE/README.md is a text file. extract reads WAT and WARC files: name those alone with --input.'],
    [
      `extract --input old.arc.gz ${to}`,
      "pairmill: BASE/old.arc.gz is an ARC file, the Internet Archive's format before WARC. Convert it to WARC (warcio recompress does). extract reads WAT and WARC files: name those alone with --input.",
    ],
    [
      `extract --input text.warc.wet.gz ${to}`,
      'pairmill: BASE/text.warc.wet.gz is a WET file, which holds the text of pages and no links. Common Crawl has a WAT beside it. extract reads WAT and WARC files: name those alone with --input.',
    ],
    [
      `extract --input refused.warc.gz ${to}`,
      'pairmill: BASE/refused.warc.gz is an HTML page, as a server sends it in place of a file that it refuses. extract reads WAT and WARC files: name those alone with --input.',
    ],
    [`extract --input ftp://host/a.wat.gz ${to}`, 'pairmill: ftp://host/a.wat.gz: Pairmill reads http://, https:// and s3://, and paths. Give one of these.'],
    [`filter --input file ${to}`, 'pairmill: --input: BASE/file is a file where a folder is meant. Name the folder that it lies in.'],
    [`filter --input nowhere ${to}`, 'pairmill: --input: there is no BASE/nowhere. Check the path; a relative one begins at BASE.'],
    [
      `filter --input folder ${to} --dry-run`,
      'pairmill: filter reads samples, and BASE/folder holds no finished shard of it. Run the stage before it, or name another folder with --input.',
    ],
    ['serve --input file', 'pairmill: --input: BASE/file is a file where a folder is meant. Name the folder that it lies in.'],
    ['verify folder', 'pairmill: BASE/folder is no run: it has no run.json. Name the folder or s3:// prefix that --run-dir named.'],
    ['status cut', 'pairmill: BASE/cut/run.json is not a record of a run that this version reads. Give another run folder, or remove the file to begin anew.'],
  ],
  'what run starts from': [
    ['run nothing.csv', 'pairmill: run: there is no BASE/nothing.csv. Check the path; a relative one begins at BASE.'],
    ['run nothing.warc.gz --run-dir out', 'pairmill: run: there is no BASE/nothing.warc.gz. Check the path; a relative one begins at BASE.'],
    [
      'run urls.csv --output out',
      'pairmill run: unknown option --output. Everything is written to the folder that --run-dir names. pairmill run --help lists its options.',
    ],
    ['run file, nothing.csv', 'pairmill: run: there is no BASE/nothing.csv. Check the path; a relative one begins at BASE.'],
    [
      'run folder',
      'pairmill: The folder folder holds no file. Give crawl files, a list of links, a folder of pictures, webdataset tars or embeddings with --input.',
    ],
  ],
  'where it is to be written': [
    [
      'extract --input crawl',
      'pairmill extract: nothing says where to write. Give --output DIR for the files of this stage, or --run-dir DIR for a folder that all stages share.',
    ],
    ['extract --input crawl --output file', 'pairmill: --output: BASE/file is a file where a folder is meant. Name a folder, or a path that is not there yet.'],
    ['extract --input crawl --output file/out', "pairmill: --output: BASE/file/out can't be made, because BASE/file is a file. Name a folder elsewhere."],
    [
      'extract --input crawl --run-dir file --dry-run',
      'pairmill: --run-dir: BASE/file is a file where a folder is meant. Name a folder, or a path that is not there yet.',
    ],
    [
      'extract --input crawl --output https://host/out',
      "pairmill: https:// can't hold the data of a run. Give the path of a folder, or s3://BUCKET/PREFIX (also of MinIO, Ceph, R2).",
    ],
  ],
  'a configuration': [
    ['run nowhere.yaml', "pairmill: The configuration can't be read. nowhere.yaml: there is no such file or folder. Check the path."],
    [
      'run run.yaml',
      'pairmill: run.yaml: list: unknown key langage (did you mean language?). There are url-col, caption-col, save-additional-columns, language, language-detector, language-threshold, trust-hash, max-url-length, max-text-length, sign-request, memory.',
    ],
    ['run stage.yaml', 'pairmill: stage.yaml: filter is a stage: its value must be a mapping of options.'],
  ],
};

for (const [kind, rows] of Object.entries(mistakes)) {
  describe(kind, () => {
    test.each(rows)('pairmill %s', async (line, message) => {
      expect(await typed(line)).toEqual({ code: 2, out: '', err: message });
    });
  });
}

test('an option of a stage that does not run is named, and help NAME is NAME --help', async () => {
  const { code, err } = await typed('run urls.csv --threshold 0.3 --dry-run');
  expect([code, err]).toEqual([
    0,
    expect.stringContaining('warning: --threshold has no effect, because it is an option of filter, and this run has no such stage. --from filter puts it in.'),
  ]);
  expect((await typed('help tag train')).out).toBe((await typed('tag train --help')).out);
});

test('there are 40 of them and more', () => {
  expect(Object.values(mistakes).flat().length).toBeGreaterThanOrEqual(40);
});

describe('rights', () => {
  test.each([
    [`extract --input secret ${to}`, "pairmill: --input: BASE/secret can't be read: permission denied. Check who may read it (ls -ld shows it)."],
    [`extract --input secret/*.gz ${to}`, "pairmill: --input: BASE/secret can't be read: permission denied. Check who may read it (ls -ld shows it)."],
    [`filter --input secret ${to}`, "pairmill: --input: BASE/secret can't be read: permission denied. Check who may read it (ls -ld shows it)."],
  ])('pairmill %s', async (line, message) => {
    expect(await typedByAnother(line)).toEqual({ code: 2, out: '', err: message });
  });

  test('a folder that this user may not write to', async () => {
    await chmod(join(base, 'folder'), 0o555);
    onTestFinished(() => chmod(join(base, 'folder'), 0o755));
    expect(await typedByAnother(`extract --input crawl --output folder/out`)).toEqual({
      code: 2,
      out: '',
      err: expect.stringMatching(/^pairmill: .*BASE\/folder\/out can't be (written|locked): this user may not write/) as string,
    });
  });
});

test('a place where not even root can make a folder', async () => {
  const { code, out, err } = await typed('extract --input crawl --output /proc/out');
  expect([code, out]).toEqual([2, '']);
  expect(err).toBe(
    process.geteuid?.() === 0
      ? "pairmill: /proc/out can't be made: no folder can be made there. Give another --run-dir."
      : "pairmill: --output: /proc/out can't be written: this user may not write to /proc. Name a folder that you may write to.",
  );
});

describe('the environment', () => {
  test('a variable with a wrong value is named', async () => {
    const { code, err } = await typed(`extract --input crawl ${to}`, { PAIRMILL_MIN_TEXT_LENGTH: 'x' });
    expect([code, err]).toEqual([2, 'pairmill: PAIRMILL_MIN_TEXT_LENGTH: expected a number (given: "x")']);
  });

  test('a misspelt variable is named with the one that was meant, and the command goes on', async () => {
    const { code, err } = await typed(`extract --input crawl ${to} --dry-run`, { PAIRMILL_MIN_TEXT_LENGHT: '3', PAIRMILL_FILTER_MODEL: 'mini' });
    expect([code, err]).toEqual([
      0,
      'warning: The environment variable PAIRMILL_MIN_TEXT_LENGHT belongs to no option and is not read. Did you mean PAIRMILL_MIN_TEXT_LENGTH?',
    ]);
  });

  test('a variable that could mean several stages of a run is refused, and those that mean one are named', async () => {
    const { code, err } = await typed('run crawl --run-dir run --dry-run', { PAIRMILL_SEED: '3' });
    expect([code, err]).toEqual([
      2,
      'pairmill: The environment variable PAIRMILL_SEED could mean extract, release, index: each has an option seed. Set PAIRMILL_EXTRACT_SEED or PAIRMILL_RELEASE_SEED or PAIRMILL_INDEX_SEED instead.',
    ]);
    expect((await typed('run crawl --run-dir run --dry-run', { PAIRMILL_RELEASE_SEED: '3', PAIRMILL_MODEL: 'mini' })).code).toBe(0);
  });
});

test('none of all this has made anything', async () => {
  await chmod(join(base, 'secret'), 0o755);
  expect((await readdir(base, { recursive: true })).sort()).toEqual(before);
});
