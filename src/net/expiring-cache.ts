/** A map of promises that forgets each after its time, and the oldest where it grows past `maxEntries`. */
export class ExpiringCache<T> {
  readonly #entries = new Map<string, { value: Promise<T>; expires: number }>();
  readonly #maxEntries: number;
  readonly #now: () => number;

  constructor(maxEntries: number, now: () => number = Date.now) {
    this.#maxEntries = maxEntries;
    this.#now = now;
  }

  /**
   * The value of `key`, made by `make` where there is none or it has expired. Those who ask while it is being made
   * wait for the same one. `make` says for how long (ms) its value holds; one that throws is not kept.
   */
  get(key: string, make: () => Promise<{ value: T; holdsMs: number }>): Promise<T> {
    const known = this.#entries.get(key);
    if (known && known.expires > this.#now()) return known.value;
    const entry = { value: undefined as unknown as Promise<T>, expires: Infinity };
    entry.value = make().then(
      ({ value, holdsMs }) => {
        entry.expires = this.#now() + holdsMs;
        return value;
      },
      (error: unknown) => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
        throw error;
      },
    );
    // Deleted first, so that the entry moves to the end: the first key is always the oldest.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > this.#maxEntries) this.#entries.delete(this.#entries.keys().next().value!);
    return entry.value;
  }
}
