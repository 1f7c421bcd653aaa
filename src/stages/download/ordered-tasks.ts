/**
 * Runs `task` for every item, up to `concurrency` at a time, and yields the results in the order of the items. A
 * result that is ready early waits; while the waiting ones hold `maxBytes` or more (as `bytesOf` says), no further
 * task is started. The first error of a task ends it all.
 */
export async function* orderedTasks<Item, Result>(
  items: readonly Item[],
  task: (item: Item, index: number) => Promise<Result>,
  { concurrency, maxBytes, bytesOf }: { concurrency: number; maxBytes: number; bytesOf: (result: Result) => number },
): AsyncGenerator<Result> {
  const results = new Map<number, Result>();
  let started = 0;
  let running = 0;
  let waitingBytes = 0;
  let failure: { error: unknown } | undefined;
  let stopped = false;
  let wake = (): void => undefined;

  const start = (): void => {
    while (!stopped && started < items.length && running < concurrency && waitingBytes < maxBytes) {
      const index = started++;
      running++;
      void task(items[index]!, index)
        .then(
          (result) => {
            results.set(index, result);
            waitingBytes += bytesOf(result);
          },
          (error: unknown) => {
            failure ??= { error };
            stopped = true;
          },
        )
        .finally(() => {
          running--;
          start();
          wake();
        });
    }
  };

  try {
    for (let next = 0; next < items.length; next++) {
      start();
      while (!results.has(next)) {
        if (failure) throw failure.error;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      const result = results.get(next)!;
      results.delete(next);
      waitingBytes -= bytesOf(result);
      yield result;
    }
  } finally {
    stopped = true;
  }
}
