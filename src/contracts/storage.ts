/**
 * The storage port: where the data of a run lies, a local folder or an `s3://` prefix. Names are relative to it, with
 * slashes. A stage reads and writes local paths; for a remote storage these are in scratch, fetched before and put after.
 */
export interface Storage {
  /** Absolute path, or `s3://bucket/prefix` without a trailing slash. */
  readonly location: string;
  readonly remote: boolean;
  /** Names of the files directly in `folder` ('' for the top); empty where there is no such folder. Not sorted. */
  list(folder: string): Promise<StoredFile[]>;
  /** Names of all files below `folder`, relative to the storage. */
  listDeep(folder: string): AsyncIterable<StoredFile>;
  /** Bytes of a file; undefined where there is none. */
  size(name: string): Promise<number | undefined>;
  /** A small file as text; undefined where there is none. */
  readText(name: string): Promise<string | undefined>;
  /** Replaces a small file so that a reader sees the old content or the new, never a part; durable when it returns. */
  writeText(name: string, text: string): Promise<void>;
  /** Writes a small file only where none is; false where there is one. */
  createText(name: string, text: string): Promise<boolean>;
  /**
   * Writes a small file only over the text `before`; false where there is another or none. On S3 one of several that try at a time
   * gets true, where the service knows conditional writes; in a folder the caller holds a lock.
   */
  replaceText(name: string, before: string, text: string): Promise<boolean>;
  /**
   * Removes the unfinished files directly in `folder` that a process which was killed has left. For one that holds the run's lock:
   * nobody else writes there.
   */
  removeUnfinished(folder: string): Promise<void>;
  /** Removes a file or, with its content, a folder; nothing where there is none. */
  remove(name: string): Promise<void>;
  /** A local path at which the file (or folder) can be read: its own, or a copy in `scratch`. Throws where there is none. */
  fetch(name: string, scratch: string, signal?: AbortSignal): Promise<string>;
  /** A local path to write before `publish`: beside the final one, or in `scratch`. Its folder exists; nothing is there. */
  temporary(name: string, scratch: string): Promise<string>;
  /**
   * Moves a durable file or folder from `temporary` into place, over what is there. On S3 each object is uploaded whole or not
   * at all (multipart where it is large). Idempotent up to the removal of `path`.
   */
  publish(path: string, name: string, signal?: AbortSignal): Promise<void>;
}

export interface StoredFile {
  /** Relative to the listed folder for `list`, to the storage for `listDeep`. */
  readonly name: string;
  readonly bytes: number;
  /** Local: whether it is a folder. S3 has none: common prefixes are listed as such. */
  readonly folder: boolean;
}
