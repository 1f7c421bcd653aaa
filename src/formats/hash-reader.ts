import { readColumnGroups } from './parquet-column-groups.ts';
import { parquetColumns } from './parquet.ts';
import { sampleHash } from './sample-hash.ts';

/** The identities of the rows of a metadata file in order, as many at a time as its caller wants; computed where the file is clip-retrieval's and has none. */
export class HashReader {
  readonly #groups: AsyncGenerator<ArrayLike<bigint>, undefined>;
  #group: ArrayLike<bigint> = [];
  #at = 0;

  constructor(path: string) {
    this.#groups = hashGroups(path);
  }

  /** The next `rows` of them. Throws RangeError where the file ends before. */
  async next(rows: number): Promise<BigInt64Array> {
    const hashes = new BigInt64Array(rows);
    for (let i = 0; i < rows;) {
      if (this.#at === this.#group.length) {
        const next: IteratorResult<ArrayLike<bigint>, undefined> = await this.#groups.next();
        if (next.done) throw new RangeError('the metadata ends before the embeddings do');
        [this.#group, this.#at] = [next.value, 0];
      }
      while (i < rows && this.#at < this.#group.length) hashes[i++] = this.#group[this.#at++]!;
    }
    return hashes;
  }

  async close(): Promise<void> {
    await this.#groups.return(undefined);
  }
}

async function* hashGroups(path: string): AsyncGenerator<ArrayLike<bigint>, undefined> {
  const present = new Set(await parquetColumns(path));
  if (present.has('hash')) {
    for await (const { columns } of readColumnGroups(path, ['hash'], 'bytes')) yield columns.get('hash') as ArrayLike<bigint>;
    return;
  }
  const names = ['url', 'caption'].filter((name) => present.has(name));
  for await (const { rows, columns } of readColumnGroups(path, names, 'text')) {
    const text = (name: string, i: number): string | null => (columns.get(name)?.[i] as string | null | undefined) ?? null;
    yield Array.from({ length: rows }, (_, i) => sampleHash(text('url', i), text('caption', i)));
  }
}
