/** A file from outside (a crawl file, a list) that becomes a shard. */
export interface SourceFile {
  /** Path or URL. */
  path: string;
  /** Changes when the content does, as far as can be known without reading it; without secrets. */
  digest: string;
}

/** What kind of files `--input` names. */
export interface SourceKind {
  /** Singular and plural, for messages. */
  readonly name: string;
  /** What to give instead, for messages. */
  readonly wanted: string;
  /** Names of the files that are read out of a folder. */
  readonly inFolder: RegExp;
  /** True where folders within a folder are read too. */
  readonly deep?: boolean;
  /** Names of files that list others, one a line. */
  readonly index?: RegExp;
}

/** Whether a file is read out of a folder, by its path in it: hidden files, and what begins with a line (`_plan`, `_temporary`), are not. */
export function isOfKind(path: string, { inFolder }: SourceKind): boolean {
  return inFolder.test(path) && !/(?:^|\/)[._]/.test(path);
}
