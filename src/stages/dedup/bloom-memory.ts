import { availableParallelism, totalmem } from 'node:os';
import { UsageError } from '../../contracts/errors.ts';
import { bloomBytes, type BloomSize, bloomSize, fits, partitionsFor } from './bloom-size.ts';
import type { DedupOptions } from './options.ts';

/** Size of the bloom filter of one partition. */
export function sizeOfPartition({ expectedItems, partitions, falsePositiveRate }: DedupOptions): BloomSize {
  return bloomSize(Math.ceil(expectedItems / partitions), falsePositiveRate);
}

/** Partitions that go on at a time: as many as fit into memory, and no more than there are cores. */
export function lanesAtOnce(options: DedupOptions): number {
  const fitting = Math.floor(maxMemory(options) / bloomBytes(sizeOfPartition(options)));
  return Math.max(1, Math.min(options.partitions, fitting, availableParallelism()));
}

/** What the bloom filters will take in memory, and of how much, in one line. */
export function describeMemory(options: DedupOptions): string {
  const { expectedItems, falsePositiveRate, partitions, bloom } = options;
  const lanes = lanesAtOnce(options);
  const parts = partitions === 1 ? 'of memory' : `of memory for each of ${partitions} partitions, ${lanes === partitions ? 'all' : lanes} at a time`;
  const merged =
    bloom.length === 0 ? '' : `; ${bloom.length === 1 ? 'a bloom filter of another run is' : `${bloom.length} bloom filters of other runs are`} merged into it`;
  return (
    `the bloom filter for ${expectedItems.toLocaleString('en')} links at a false-positive rate of ${rateText(falsePositiveRate)} takes ` +
    `${megabytes(bloomBytes(sizeOfPartition(options)))} ${parts} (limit: ${megabytes(maxMemory(options))})${merged}`
  );
}

/** Throws UsageError where one bloom filter takes more than all may have. */
export function assertFitsMemory(options: DedupOptions): void {
  const { expectedItems, falsePositiveRate } = options;
  const max = maxMemory(options);
  const size = sizeOfPartition(options);
  if (fits(size, max)) return;
  throw new UsageError(
    `The bloom filter for --expected-items ${expectedItems} at --false-positive-rate ${falsePositiveRate} takes ${megabytes(bloomBytes(size))} of memory, ` +
      `more than the limit of ${megabytes(max)}. Give --partitions ${partitionsFor(expectedItems, falsePositiveRate, max)}, or --bloom-memory in bytes.`,
  );
}

/** Half of the memory there is (of the container's, where it has a limit), unless the options say. */
function maxMemory({ bloomMemory }: DedupOptions): number {
  return bloomMemory || Math.floor(Math.min(process.constrainedMemory() || Infinity, totalmem()) / 2);
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000).toLocaleString('en')} MB`;
}

function rateText(rate: number): string {
  return rate < 1e-3 ? rate.toExponential() : String(rate);
}
