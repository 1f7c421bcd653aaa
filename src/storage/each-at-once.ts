/**
 * Does work on each item, `limit` of them at a time. After the first failure, which is thrown, no other item is begun, and the
 * work under way is told to stop and waited for.
 */
export async function eachAtOnce<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const failed = new AbortController();
  const both = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const left = items[Symbol.iterator]();
  let failure: { error: unknown } | undefined;
  const workThrough = async (): Promise<void> => {
    for (let next = left.next(); !next.done; next = left.next()) {
      try {
        both.throwIfAborted();
        await work(next.value, both);
      } catch (error) {
        failure ??= { error };
        failed.abort();
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, workThrough));
  if (failure) throw failure.error;
}
