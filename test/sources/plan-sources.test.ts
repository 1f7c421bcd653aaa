import { expect, it } from 'vitest';
import { numberSources } from '../../src/sources/plan-sources.ts';
import { type SourceWork, pathOf, workOf } from '../../src/sources/source-work.ts';

const work = (path: string, digest = '1 bytes'): SourceWork => ({ path, digest });
const recorded = (...works: SourceWork[]) => new Map(works.map((each, i) => [String(i).padStart(5, '0'), each]));
const numbers = (files: SourceWork[], before: ReadonlyMap<string, SourceWork>) => numberSources(files, before).map(([number, { path }]) => `${number} ${path}`);

it('numbers the files of a new run in the order of the input', () => {
  expect(numbers([work('/b'), work('/a'), work('/c')], new Map())).toEqual(['0 /b', '1 /a', '2 /c']);
});

it('keeps a number once given: a new file gets the next, one that is gone leaves a gap, and gets it back', () => {
  const before = recorded(work('/b'), work('/c'), work('/d'));
  expect(numbers([work('/a'), work('/b'), work('/c'), work('/d')], before)).toEqual(['0 /b', '1 /c', '2 /d', '3 /a']);
  expect(numbers([work('/b'), work('/d')], before)).toEqual(['0 /b', '2 /d']);
  expect(numbers([work('/x'), work('/d')], before)).toEqual(['2 /d', '3 /x']);
});

it('knows a file by its path though its content has changed', () => {
  expect(numberSources([work('/a', '2 bytes')], recorded(work('/a', '1 bytes')))).toEqual([[0, work('/a', '2 bytes')]]);
});

it('knows a moved file by its name and digest, where these are unique', () => {
  expect(numbers([work('/new/a'), work('/new/b'), work('/new/c')], recorded(work('/old/b'), work('/old/a')))).toEqual(['0 /new/b', '1 /new/a', '2 /new/c']);
  expect(numbers([work('/new/a', '2 bytes')], recorded(work('/old/a')))).toEqual(['1 /new/a']);
  expect(numbers([work('/x/a'), work('/y/a')], recorded(work('/old/a')))).toEqual(['1 /x/a', '2 /y/a']);
  expect(numbers([work('/new/a')], recorded(work('/x/a'), work('/y/a')))).toEqual(['2 /new/a']);
});

it('gives a file that is named twice two numbers', () => {
  const twice = [work('/a'), work('/a')];
  expect(numbers(twice, new Map())).toEqual(['0 /a', '1 /a']);
  expect(numbers(twice, recorded(...twice))).toEqual(['0 /a', '1 /a']);
  expect(numbers([work('/b'), ...twice, work('/a')], recorded(...twice))).toEqual(['0 /a', '1 /a', '2 /b', '3 /a']);
});

it('records no place outside of a run that is moved, and no secret', () => {
  const runs = ['/data/run', 's3://bucket/run'];
  for (const [path, run, record] of [
    ['/data/run/crawl/a.wat.gz', runs[0]!, 'crawl/a.wat.gz'],
    ['s3://bucket/run/crawl/a.wat.gz', runs[1]!, 'crawl/a.wat.gz'],
    ['/data/run2/a.wat.gz', runs[0]!, '/data/run2/a.wat.gz'],
    ['https://host.test/a.wat.gz?part=1', runs[0]!, 'https://host.test/a.wat.gz?part=1'],
  ] as const) {
    const made = workOf({ path, digest: 'x' }, run);
    expect(made).toEqual({ path: record, digest: 'x' });
    expect(pathOf(made, run)).toBe(path);
  }
  expect(workOf({ path: 'https://host.test/a.wat.gz?part=1&X-Amz-Signature=secret', digest: 'x' }, runs[0]!)).toEqual({
    path: 'https://host.test/a.wat.gz?part=1',
    digest: 'x',
    signed: true,
  });
});
