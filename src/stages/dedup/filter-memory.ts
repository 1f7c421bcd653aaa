import { totalmem } from 'node:os';
import { UsageError } from '../../contracts/errors.ts';
import { filterBytes, type FilterSize, filterSize, fits, partitionsFor } from './filter-size.ts';
import type { DedupOptions } from './options.ts';

/** Size of the filter of one partition. */
export function sizeOfPartition({ expectedItems, partitions, falsePositiveRate }: DedupOptions): FilterSize {
  return filterSize(Math.ceil(expectedItems / partitions), falsePositiveRate);
}

/** What the filter will take in memory, and of how much, in one line. */
export function describeMemory(options: DedupOptions): string {
  const { expectedItems, falsePositiveRate, partitions, filter } = options;
  const parts = partitions === 1 ? 'in memory' : `in memory for one of ${partitions} partitions at a time`;
  const merged =
    filter.length === 0 ? '' : `; ${filter.length === 1 ? 'a filter of another run is' : `${filter.length} filters of other runs are`} merged into it`;
  return (
    `bloom filter for ${expectedItems.toLocaleString('en')} links at a false-positive rate of ${rateText(falsePositiveRate)}: ` +
    `${megabytes(filterBytes(sizeOfPartition(options)))} ${parts}, of ${megabytes(mostMemory(options))} that it may have${merged}`
  );
}

/** Throws UsageError where the filter takes more than it may have. */
export function assertFitsMemory(options: DedupOptions): void {
  const { expectedItems, falsePositiveRate } = options;
  const most = mostMemory(options);
  const size = sizeOfPartition(options);
  if (fits(size, most)) return;
  throw new UsageError(
    `The bloom filter for --expected-items ${expectedItems} at --false-positive-rate ${falsePositiveRate} takes ${megabytes(filterBytes(size))} of memory, ` +
      `more than the ${megabytes(most)} that it may have. Give --partitions ${partitionsFor(expectedItems, falsePositiveRate, most)}, or --filter-memory in bytes.`,
  );
}

/** Half of the memory there is (of the container's, where it has a limit), unless the options say. */
function mostMemory({ filterMemory }: DedupOptions): number {
  return filterMemory || Math.floor(Math.min(process.constrainedMemory() || Infinity, totalmem()) / 2);
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000).toLocaleString('en')} MB`;
}

function rateText(rate: number): string {
  return rate < 1e-3 ? rate.toExponential() : String(rate);
}
