import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandLine, type Ended } from './command-line.ts';

/** A run that makes nothing, or less than was hoped for, says so and why; one that is finished says what there is and what comes next. */
let base: string;
let crawl: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'pairmill-silent-'));
  crawl = join(base, 'crawl');
  await mkdir(crawl);
  await writeFile(join(crawl, 'good.warc.gz'), warc('<img src="a.jpg" alt="a dog in the snow"><img src="b.jpg" alt="x">'));
  await mkdir(join(base, 'poor'));
  await writeFile(join(base, 'poor', 'poor.warc.gz'), warc('<img src="a.jpg"><img src="b.jpg" alt="x"><img src="c.jpg" alt="y">'));
  await writeFile(join(base, 'private.csv'), 'url,caption\nhttp://127.0.0.1:9/a.jpg,a dog\nhttp://10.0.0.1/b.jpg,a cat\nhttp://192.168.0.1/c.jpg,a cow\n');
  await writeFile(join(base, 'nameless.csv'), 'url,caption\nhttp://a.invalid/a.jpg,a dog\nhttp://b.invalid/b.jpg,a cat\n');
});
afterAll(() => rm(base, { recursive: true }));

function warc(html: string): Uint8Array {
  const body = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><body>${html}</body></html>`;
  return gzipSync(
    `WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.test/\r\nContent-Type: application/http\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}\r\n\r\n`,
  );
}

async function typed(...argv: string[]): Promise<Ended> {
  const ended = await commandLine(argv);
  return { ...ended, err: ended.err.replaceAll(base, 'BASE') };
}

describe('a stage that ends with no rows', () => {
  test('stops the run with 1 and says where they went, also the second time', async () => {
    for (let time = 1; time <= 2; time++) {
      const { code, err } = await typed('extract', '--input', join(base, 'poor'), '--output', join(base, 'none'));
      expect(code).toBe(1);
      expect(err).toContain(
        'pairmill: extract kept none of 3 links: 2 text-too-short (fewer than --min-text-length characters after cleaning), 1 no-text (the image link has no alt text). ' +
          'The run ends here, because nothing is left for the stages after it. --min-text-length takes shorter texts.',
      );
    }
  });

  test('does so within a run, before a stage after it is whole', async () => {
    const { code, err } = await typed('run', join(base, 'poor'), '--run-dir', join(base, 'poor-run'), '--until', 'dedup');
    expect([code, err]).toEqual([1, expect.stringContaining('extract kept none of 3 links')]);
    expect(await readdir(join(base, 'poor-run', 'links')).catch(() => [])).not.toContain('_sealed.json');
  });
});

describe('links of which most fail', () => {
  test('progress and status count a link that was tried again once', async () => {
    const line = ['run', join(base, 'private.csv'), '--run-dir', join(base, 'tried'), '--until', 'download', '--no-robots-txt'];
    await typed(...line);
    const again = await typed(...line, '--retry-failed', 'private-address');
    expect(again.err).toMatch(/^download: 3 links in, 0 out, /m);
    const { out } = await typed('status', join(base, 'tried'));
    expect(out).toMatch(/^download +3 +0 .* 3 private-address$/m);
    expect(out).toMatch(/^failed_to_download +3 +100.0 % +private address$/m);
    // Another list in the same folder would take the place of this one.
    const other = await typed('run', join(base, 'nameless.csv'), ...line.slice(2));
    expect([other.code, other.err]).toEqual([
      2,
      expect.stringContaining(
        'download: 2 of 3 shards (first: 00000) in BASE/tried/samples are not in the plan any more: what it was made from is gone. Nothing of download was changed. ' +
          'Give the input as it was, another --run-dir for this one, or --accept-changed to remove them.',
      ),
    ]);
  });

  test('for private addresses: the warning names the reasons and what lets an address in', async () => {
    const { code, err } = await typed('download', '--input', join(base, 'private.csv'), '--output', join(base, 'private'), '--no-robots-txt');
    expect(code).toBe(1);
    expect(err).toContain('warning: download 00000: 3 of 3 links failed: 3 private-address. Addresses of a private network are refused');
    expect(err).toContain('--allow-address ADDRESS lets one in.');
    expect(err).toContain('--connect-to HOST:PORT:ADDRESS:PORT sends the requests for one host to an address that you name.');
    expect(err).toContain('pairmill: download kept none of 3 links: 3 private-address (');
    expect(err).toContain('What helps is said above.');
    expect(err.split('--allow-address ADDRESS lets one in.')).toHaveLength(2);
  });

  test('when the command comes again with --connect-to, it says that the shards were finished before, and how their links are asked for again', async () => {
    const again = await typed(
      'download',
      '--input',
      join(base, 'private.csv'),
      '--output',
      join(base, 'private'),
      '--no-robots-txt',
      '--connect-to',
      '10.0.0.1:80:127.0.0.1:9',
    );
    expect([again.code, again.err]).toEqual([
      1,
      expect.stringContaining('--connect-to is given now, and these shards were finished before. --retry-failed private-address asks for their links again.'),
    ]);
    // Nothing listens there, so that one link fails for another reason now.
    const retried = await typed(
      'download',
      '--input',
      join(base, 'private.csv'),
      '--output',
      join(base, 'private'),
      '--no-robots-txt',
      '--connect-to',
      '10.0.0.1:80:127.0.0.1:9',
      '--retry-failed',
      'private-address',
    );
    expect(retried.err).toContain('download tries 3 links of 1 shard again, in 1 new shard (00001).');
    expect(retried.err).toContain('pairmill: download kept none of 3 links: 2 private-address (');
    expect(retried.err).not.toContain('these shards were finished before');
  });

  test('for names that do not resolve: is there a network?', async () => {
    const { code, err } = await typed('download', '--input', join(base, 'nameless.csv'), '--output', join(base, 'nameless'), '--no-robots-txt');
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('2 of 2 links failed: 2 dns-failed. No host name could be resolved for these. Is there a network? pairmill doctor says so.'),
    ]);
    expect(err).toContain('Later, the same command with --retry-failed dns-failed asks for such links again.');
  });
});

describe('the end', () => {
  const run = (...more: string[]): Promise<Ended> => typed('extract', '--input', crawl, '--run-dir', join(base, 'my run'), ...more);

  test('says what was made, where, and the next command', async () => {
    const { code, out, err } = await run();
    expect(code, err).toBe(0);
    expect(out).toMatch(/^extract\s+2\s+1\s.*1 text-too-short$/m);
    expect(err.trimEnd().split('\n').slice(-2)).toEqual([
      'What was made is in the folder candidates of BASE/my run.',
      "Next: pairmill dedup --run-dir 'BASE/my run'",
    ]);
  });

  test('of a run that was finished before shows no old figures as new ones', async () => {
    const { code, out, err } = await run();
    expect([code, out]).toEqual([0, '']);
    expect(err).toBe("1 stage was already finished: extract. Nothing was to be done.\nNext: pairmill dedup --run-dir 'BASE/my run'\n");
  });

  test('--redo all makes every stage again', async () => {
    const { out, err } = await run('--redo', 'all');
    expect(out).toMatch(/^extract\s+2\s+1\s/m);
    expect(err).not.toContain('already finished');
  });

  test('a run that is named in place of one of its datasets is recognised', async () => {
    const { code, err } = await typed('dedup', '--input', join(base, 'my run'), '--output', join(base, 'links'));
    expect([code, err]).toEqual([
      2,
      'pairmill: dedup reads candidates, and BASE/my run holds no finished shard of it. It is the folder of a run: give --run-dir BASE/my run in place of --input, or --input BASE/my run/candidates.\n',
    ]);
  });

  test('rejects lie beside --output, also where --run-dir names a run', async () => {
    const output = join(base, 'apart');
    await run('--output', output);
    expect(await readdir(join(output, 'rejects', 'extract'))).toEqual(['00000.parquet']);
  });
});

describe('--dry-run', () => {
  test('says rows, bytes and hours of what is to be made, as the finished shards tell, and makes nothing', async () => {
    const folder = join(base, 'grown');
    await mkdir(folder);
    const input = join(folder, '*.warc.gz');
    await writeFile(join(folder, '0.warc.gz'), warc('<img src="a.jpg" alt="a dog in the snow">'));
    const args = ['extract', '--input', input, '--run-dir', join(base, 'grown-run')];
    const first = await typed(...args, '--dry-run');
    expect(first.out).toMatch(/^extract\s+1\s+0\s+1 missing\s+unknown\s+unknown\s+unknown\s/m);
    expect(await readdir(base)).not.toContain('grown-run');
    await typed(...args);
    await writeFile(join(folder, '1.warc.gz'), warc('<img src="a.jpg" alt="a dog in the snow">'));
    expect((await typed(...args, '--dry-run')).out).toMatch(/^extract\s+2\s+1\s+1 missing\s+1 link\s+[\d.]+ kB\s+< 0\.01\s/m);
  });

  test('refuses what the command would refuse', async () => {
    const { code, err } = await typed(
      'extract',
      '--input',
      join(base, 'grown', '*.warc.gz'),
      '--run-dir',
      join(base, 'grown-run'),
      '--min-text-length',
      '1',
      '--dry-run',
    );
    expect([code, err]).toEqual([2, expect.stringContaining('--min-text-length was 5, is 1')]);
  });

  test('of the demo makes nothing at all', async () => {
    const folder = join(base, 'demo');
    const { code, out } = await typed('demo', '--no-serve', '--run-dir', folder, '--dry-run');
    expect([code, out]).toEqual([0, expect.stringContaining('Nothing was made.')]);
    expect(await readdir(base)).not.toContain('demo');
  });
});
