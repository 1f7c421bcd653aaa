import { hash } from 'node:crypto';
import { basename } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../contracts/errors.ts';
import { option } from '../contracts/option.ts';
import type { Resources } from '../contracts/stage.ts';
import { HashNeighbours, MAX_HASH_DISTANCE, splitHash } from '../pictures/hash-neighbours.ts';
import { checksum } from '../storage/checksum.ts';
import { blocklistLines } from './blocklist-lines.ts';
import { DigestSet } from './digest-set.ts';

export const blocklistOptions = {
  blocklist: option(
    z.array(z.string()).default([]),
    'Files that name what is dropped: hashes of files (MD5, SHA-1, SHA-256), URLs or hashes of them, perceptual hashes; one a line, also packed with gzip',
    // What is in them decides, and stands in made_by.
    { value: 'FILE,…', path: 'one', shared: true, decidesResult: false },
  ),
  blocklistDistance: option(
    z.int().min(0).max(MAX_HASH_DISTANCE).default(4),
    'Bits in which the perceptual hash of a picture may differ from one of a blocklist',
    {
      unit: 'bits',
      shared: true,
    },
  ),
};
export type BlocklistOptions = z.output<z.ZodObject<typeof blocklistOptions>>;

const fileHashes = ['md5', 'sha1', 'sha256'] as const;
type FileHash = (typeof fileHashes)[number];

/** Checksums of the lists for `made_by`: with other lists a shard is another one. */
export async function blocklistChecksums({ blocklist }: BlocklistOptions): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const path of blocklist) {
    // Read to its end, so that a list that can't be read is told before anything is done.
    for await (const entry of blocklistLines(path)) void entry;
    sums[`blocklist ${basename(path)}`] = (await checksum(path)).sha256;
  }
  if (Object.keys(sums).length < blocklist.length) throw new UsageError('--blocklist names two files of one name. Give them different names.');
  return sums;
}

/** The blocklist of this thread; undefined where none is given. */
export async function residentBlocklist({ blocklist, blocklistDistance }: BlocklistOptions, resources: Resources): Promise<Blocklist | undefined> {
  if (blocklist.length === 0) return undefined;
  return resources.get('blocklist', { blocklist, blocklistDistance }, () => Blocklist.read(blocklist, blocklistDistance));
}

/** What must not be in a dataset. Memory: 8 bytes an entry, and 24 a perceptual hash. */
export class Blocklist {
  readonly #files = new Map<FileHash, DigestSet>();
  readonly #urls = new Map<FileHash, DigestSet>();
  readonly #looks: HashNeighbours;

  private constructor(distance: number) {
    this.#looks = new HashNeighbours(distance);
  }

  static async read(paths: readonly string[], distance: number): Promise<Blocklist> {
    const list = new Blocklist(distance);
    for (const path of paths)
      for await (const { kind, value } of blocklistLines(path)) {
        if (kind === 'phash') list.#looks.add(...splitHash(value));
        else if (kind === 'url') for (const url of formsOf(value)) setOf(list.#urls, 'sha256').add(hash('sha256', url, 'buffer'));
        else if (kind.startsWith('url-')) setOf(list.#urls, kind.slice('url-'.length) as FileHash).add(value);
        else setOf(list.#files, kind as FileHash).add(value);
      }
    return list;
  }

  /** The kinds of hash by which files are looked up. */
  get fileHashes(): readonly FileHash[] {
    return [...this.#files.keys()];
  }

  get hasLooks(): boolean {
    return this.#looks.size > 0;
  }

  /** As it stands, and as a browser would write it. */
  hasUrl(url: string): boolean {
    const forms = formsOf(url);
    return [...this.#urls].some(([kind, set]) => forms.some((form) => set.has(hash(kind, form, 'buffer'))));
  }

  /** The kind of hash by which the list names a file; undefined where it does not. */
  kindOfFile(digest: (kind: FileHash) => string | Uint8Array | undefined): FileHash | undefined {
    for (const [kind, set] of this.#files) {
      const found = digest(kind);
      if (found !== undefined && set.has(found)) return kind;
    }
    return undefined;
  }

  /** Bits in which a picture differs from the nearest of the list; undefined where none is near enough. */
  bitsFromLook(phash: string): number | undefined {
    return this.#looks.nearest(...splitHash(phash))?.bits;
  }
}

function setOf(sets: Map<FileHash, DigestSet>, kind: FileHash): DigestSet {
  const set = sets.get(kind) ?? new DigestSet();
  sets.set(kind, set);
  return set;
}

function formsOf(url: string): string[] {
  const parsed = URL.canParse(url) ? new URL(url).href : url;
  return parsed === url ? [url] : [url, parsed];
}
