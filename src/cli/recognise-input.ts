import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { counted } from '../contracts/counted.ts';
import { UsageError } from '../contracts/errors.ts';
import { findListColumns } from '../formats/list-columns.ts';
import { pipeline } from '../pipeline.ts';
import { isOurs, readMarkers } from '../runtime/marker.ts';
import { type FileKind, fileKindOf, HEAD_BYTES } from '../sources/file-kind.ts';
import { encodingAdvice } from '../formats/list-format.ts';
import { listSources } from '../sources/list-sources.ts';
import { openList } from '../sources/open-list.ts';
import { openSource } from '../sources/open-source.ts';
import { pictureFolder } from '../sources/picture-folder.ts';
import type { SourceKind } from '../sources/source-file.ts';
import { withoutSecrets } from '../sources/source-name.ts';
import { isUrl } from '../storage/location.ts';
import { findCaptions } from '../stages/import/listed-captions.ts';
import { openStorage } from '../storage/open-storage.ts';
import { S3Objects } from '../storage/s3-objects.ts';

/** What a user has given to start from. */
export type RecognisedInput = {
  /** In words: `a list of links (csv; the URL is in image_url …)`. */
  readonly what: string;
} & (
  | { readonly kind: 'crawl' | 'pictures' }
  /** `texts`: false where the list has none, so that there is nothing by which to filter. */
  | { readonly kind: 'list'; readonly texts: boolean }
  /** A folder that holds what a stage writes, of ours or of another tool. */
  | { readonly kind: 'dataset'; readonly dataset: string }
);

type Environment = Readonly<Record<string, string | undefined>>;

/** Whatever lies in a folder or bucket, by its name: the first of them tells what it is. */
const anyFile: SourceKind = {
  name: 'file',
  wanted: 'crawl files, a list of links, a folder of pictures, webdataset tars or embeddings',
  inFolder: /(?:^|\/)(?!.*_stats\.json$)[^/]+\.(?:warc|wat|tar|parquet|csv|tsv|txt|json|jsonl|ndjson)(?:\.(?:gz|zst))?$/i,
  deep: true,
};

/** Names that say enough: such files are many and far away. */
const CRAWL_NAME = /\.(?:(?:warc|wat)(?:\.gz)?|paths(?:\.gz)?)$/i;

/** Recognises by content what is given: paths, globs, folders and URLs, separated by commas. Throws UsageError where it is nothing that Pairmill reads. */
export async function recogniseInput(
  input: string,
  environment: Environment,
  options: { urlCol?: string; captionCol?: string; captions?: string } = {},
): Promise<RecognisedInput> {
  const [first = ''] = input.split(',').map((item) => item.trim());
  const info = isUrl(first) ? undefined : await stat(first).catch(() => undefined);
  const dataset = info?.isDirectory() || /^s3:.*\/$/i.test(first) ? await datasetIn(first, environment) : undefined;
  if (dataset) return dataset;
  const s3 = new S3Objects(environment, true);
  const folder = await pictureFolder(first, s3);
  if (folder) {
    const { pictures, beside } = await folder.find();
    const captions = await findCaptions(folder, options.captions);
    const listed = captions ? `, with texts in ${basename(captions.path)}` : '';
    return { kind: 'pictures', what: `a folder of ${counted(pictures.length, 'pictures')}${textsBeside(pictures, beside)}${listed}` };
  }
  if (CRAWL_NAME.test(withoutSecrets(first))) return { kind: 'crawl', what: 'a crawl (WARC or WAT files)' };
  const files = await listSources(input, anyFile, s3);
  const path = files[0]!.path;
  const name = withoutSecrets(path);
  const kind = fileKindOf(await headOf(path, s3));
  const many = files.length > 1 ? `${files.length} files, the first ` : '';
  switch (kind) {
    case 'crawl':
      return { kind, what: `${many}a crawl file (WARC, WAT)` };
    case 'tar':
      return { kind: 'pictures', what: `${many}a webdataset tar` };
    case 'list': {
      const list = await describeList(path, s3, options);
      if ('pictures' in list) return { kind: 'pictures', what: `${many}a Parquet file with pictures (in ${list.pictures})` };
      return { kind, texts: list.texts, what: `${many}${list.what}` };
    }
    case 'picture':
    case 'vectors':
    case undefined:
      throw new UsageError(`${name} is ${wordsOf(kind, await headOf(path, s3))}`);
  }
}

function wordsOf(kind: FileKind | undefined, head: Uint8Array): string {
  if (kind === 'picture') return 'a single picture. Give the folder that it lies in.';
  if (kind === 'vectors') return 'a file of vectors. Give the folder that holds img_emb/ or text_emb/.';
  return encodingAdvice(head) ?? `none of the files that Pairmill reads. Give ${anyFile.wanted}.`;
}

/** A folder that a stage wrote, or another tool in the same form. */
async function datasetIn(location: string, environment: Environment): Promise<RecognisedInput | undefined> {
  const storage = await openStorage(isUrl(location) ? location.replace(/\/+$/, '') : resolve(location), environment);
  const entries = await storage.list('');
  const names = new Set(entries.map(({ name }) => name));
  if (names.has('run.json') && !names.has('_sealed.json'))
    throw new UsageError(
      `${location} is the folder of a run. To go on with it, start the command again that began it, with --run-dir ${location}; to look at its result: pairmill serve --input ${location}`,
    );
  for (const marker of (await readMarkers(storage)).values()) {
    const stage = isOurs(marker) ? pipeline.find((each) => each.name === marker.stage) : undefined;
    const format = isOurs(marker) ? marker.made_by.options['outputFormat'] : undefined;
    if (format === 'files' || format === 'parquet') return { kind: 'pictures', what: `pictures that download wrote with --output-format ${format}` };
    if (stage) return { kind: 'dataset', dataset: stage.writes, what: `${stage.writes}/ of Pairmill, which ${stage.name} wrote` };
  }
  const vectors = [...names].find((name) => name.endsWith('.npy'));
  if (vectors !== undefined)
    throw new UsageError(
      `${location} holds ${vectors} itself. Vectors of pictures lie in img_emb/, those of texts in text_emb/, and their rows in metadata/: move them there, and give the folder of these.`,
    );
  if (names.has('img_emb') || names.has('text_emb')) return { kind: 'dataset', dataset: 'embeddings', what: "embeddings in clip-retrieval's layout" };
  const tars = [...names].filter((name) => /^\d+\.tar$/.test(name));
  const rows = tars.filter((name) => names.has(name.replace('.tar', '.parquet')));
  if (tars.length > 0 && rows.length === tars.length) return { kind: 'dataset', dataset: 'samples', what: `${counted(tars.length, 'shards')} of img2dataset` };
  return undefined;
}

function textsBeside(pictures: readonly { path: string }[], beside: readonly { path: string }[]): string {
  const stems = new Set(pictures.map(({ path }) => path.replace(/\.[^./]*$/, '')));
  const texts = new Set(beside.map(({ path }) => path.replace(/\.[^./]*$/, '')).filter((stem) => stems.has(stem)));
  return texts.size === 0 ? '' : `, ${texts.size} with a text or json beside them`;
}

/** The columns of a local list are looked up. Throws UsageError where it has none with URLs. */
async function describeList(
  path: string,
  s3: S3Objects,
  { urlCol, captionCol }: { urlCol?: string; captionCol?: string },
): Promise<{ what: string; texts: boolean } | { pictures: string }> {
  if (isUrl(path)) return { what: 'a list of links', texts: true };
  const scratch = await mkdtemp(join(tmpdir(), 'pairmill-list-'));
  try {
    const list = await openList(path, path, { scratch, memoryMb: 512, signal: new AbortController().signal, s3 });
    const names = list.columns.map(({ name }) => name);
    await list.close();
    const { type, compression } = list.format;
    const pictures = type === 'parquet' ? list.columns.find(holdsPictures) : undefined;
    if (pictures) return { pictures: pictures.name };
    const { url, text } = findListColumns(names, { url: urlCol, text: captionCol });
    if (url === undefined)
      throw new UsageError(
        `${path} has no column with URLs. Its columns are ${names.join(', ')}. Name the right one with --url-col; texts of a folder of pictures are given with --captions, and the folder as the input.`,
      );
    const others = names.length - (text === undefined ? 1 : 2);
    const what =
      `a list of links (${type}${compression === 'none' ? '' : `, ${compression}`}; the URL is in ${url}, ${textsIn(text, names)}` +
      `${others > 0 ? `; ${counted(others, 'further columns')} ${others === 1 ? 'comes' : 'come'} along` : ''})`;
    return { what, texts: text !== undefined };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function textsIn(column: string | undefined, columns: readonly string[]): string {
  if (column !== undefined) return `the text in ${column}`;
  return columns.length > 1 ? 'no column of texts was found, --caption-col names one' : 'there is no text';
}

/** Bytes under a name that img2dataset or the Hugging Face hub gives to pictures. */
function holdsPictures({ name, type }: { name: string; type: string }): boolean {
  return /^(?:jpe?g|png|webp|image)$/.test(name) && /^(?:BLOB$|STRUCT\(.*\bbytes"? BLOB)/.test(type);
}

async function headOf(path: string, s3: S3Objects): Promise<Uint8Array> {
  if (isUrl(path)) {
    const stop = new AbortController();
    const chunks: Buffer[] = [];
    for await (const chunk of openSource(path, stop.signal, s3)) {
      chunks.push(Buffer.from(chunk));
      if (chunks.reduce((sum, { length }) => sum + length, 0) >= HEAD_BYTES) break;
    }
    stop.abort();
    return Buffer.concat(chunks).subarray(0, HEAD_BYTES);
  }
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    if (bytesRead === 0) throw new UsageError(`${basename(path)} is empty: 0 bytes. Give ${anyFile.wanted}.`);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
