import { readColumnGroups } from '../../formats/parquet-column-groups.ts';
import { parquetColumns } from '../../formats/parquet.ts';
import { sampleHash } from '../../formats/sample-hash.ts';

/** What is asked of a caption: a number for it in its language (empty where none is known). */
export type CaptionScore = (caption: string, language: string) => number;

/** The rows of a metadata file in order, as many at a time as the caller wants. The identity is computed where the file is clip-retrieval's and has none. */
export class MetadataReader {
  readonly #groups: AsyncGenerator<Group, undefined>;
  #group: Group = { hashes: [], scores: [] };
  #at = 0;

  constructor(path: string, scoreCaption: CaptionScore | undefined) {
    this.#groups = readGroups(path, scoreCaption);
  }

  /** The identities of the next `rows` rows, and what their captions got. Throws RangeError where the file ends before. */
  async next(rows: number): Promise<{ hashes: BigInt64Array; captions: Float32Array }> {
    const [hashes, captions] = [new BigInt64Array(rows), new Float32Array(rows)];
    for (let i = 0; i < rows;) {
      if (this.#at === this.#group.hashes.length) {
        const next: IteratorResult<Group, undefined> = await this.#groups.next();
        if (next.done) throw new RangeError('the metadata ends before the embeddings do');
        [this.#group, this.#at] = [next.value, 0];
      }
      for (; i < rows && this.#at < this.#group.hashes.length; i++, this.#at++) {
        hashes[i] = this.#group.hashes[this.#at]!;
        captions[i] = this.#group.scores[this.#at] ?? 0;
      }
    }
    return { hashes, captions };
  }

  async close(): Promise<void> {
    await this.#groups.return(undefined);
  }
}

interface Group {
  hashes: ArrayLike<bigint>;
  /** Empty where nothing is asked of the captions. */
  scores: ArrayLike<number>;
}

async function* readGroups(path: string, scoreCaption: CaptionScore | undefined): AsyncGenerator<Group, undefined> {
  const present = new Set(await parquetColumns(path));
  const wanted = [...(present.has('hash') ? ['hash'] : ['url', 'caption']), ...(scoreCaption ? ['caption', 'language'] : [])];
  for await (const { rows, columns } of readColumnGroups(
    path,
    [...new Set(wanted)].filter((name) => present.has(name)),
    'text',
  )) {
    const text = (name: string, i: number): string | null => (columns.get(name)?.[i] as string | null | undefined) ?? null;
    yield {
      hashes: (columns.get('hash') as ArrayLike<bigint> | undefined) ?? Array.from({ length: rows }, (_, i) => sampleHash(text('url', i), text('caption', i))),
      scores: scoreCaption ? Float32Array.from({ length: rows }, (_, i) => scoreCaption(text('caption', i) ?? '', text('language', i) ?? '')) : [],
    };
  }
}
