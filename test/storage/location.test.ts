import { expect, it } from 'vitest';
import { UsageError } from '../../src/contracts/errors.ts';
import { joinLocation, parseS3Url, s3Url } from '../../src/storage/location.ts';

it('parses places in S3, and refuses such as no request can name', () => {
  expect(parseS3Url('S3://Bucket/a b?c#d')).toEqual({ bucket: 'Bucket', key: 'a b?c#d' });
  expect(parseS3Url('s3://bucket')).toEqual({ bucket: 'bucket', key: '' });
  expect(parseS3Url('https://bucket/key')).toBeUndefined();
  expect([s3Url({ bucket: 'bucket', key: '' }), s3Url({ bucket: 'bucket', key: 'a/b c' })]).toEqual(['s3://bucket', 's3://bucket/a/b c']);
  for (const path of ['s3://', 's3:///key', 's3://user:password@bucket/key', 's3://bucket/a/../b']) expect(() => parseS3Url(path), path).toThrow(UsageError);
  expect(() => parseS3Url('s3://user:password@bucket/key')).toThrow(/^(?!.*password)/);
});

it('joins names to folders and prefixes, and lets none lead out', () => {
  expect(joinLocation('/run', 'links/0.parquet')).toBe('/run/links/0.parquet');
  expect(joinLocation('s3://bucket/run', 'links/0.parquet')).toBe('s3://bucket/run/links/0.parquet');
  expect(joinLocation('s3://bucket/', 'run.json')).toBe('s3://bucket/run.json');
  expect([joinLocation('/run', ''), joinLocation('s3://bucket/run', '')]).toEqual(['/run', 's3://bucket/run']);
  for (const name of ['..', 'a/../..', '/a', 'a//b', './a', 'a/', 'a\0'])
    for (const base of ['/run', 's3://bucket/run']) expect(() => joinLocation(base, name), name).toThrow(UsageError);
});
