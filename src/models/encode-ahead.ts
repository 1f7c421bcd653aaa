/** Batches that are under way: one is encoded while the one before it is used. */
const AHEAD = 2;

/** The items in batches of a size, each with what `encode` makes of it, in their order; the next batch is read and encoded while one is used. */
export async function* encodeAhead<T, Encoded>(
  items: AsyncIterable<T>,
  size: number,
  encode: (batch: readonly T[]) => Promise<Encoded>,
): AsyncGenerator<{ batch: readonly T[]; encoded: Encoded }> {
  const underway: { batch: readonly T[]; encoded: Promise<Encoded> }[] = [];
  const start = (batch: readonly T[]): void => {
    const encoded = encode(batch);
    // Whoever takes it hears of a failure; until then it is no unhandled one.
    encoded.catch(() => undefined);
    underway.push({ batch, encoded });
  };
  const first = async (): Promise<{ batch: readonly T[]; encoded: Encoded }> => {
    const { batch, encoded } = underway.shift()!;
    return { batch, encoded: await encoded };
  };
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    start(batch);
    batch = [];
    if (underway.length >= AHEAD) yield await first();
  }
  if (batch.length > 0) start(batch);
  while (underway.length > 0) yield await first();
}
