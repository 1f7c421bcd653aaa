import type { TarMember } from '../formats/webdataset.ts';

/** Where tars lie of which single members are read. */
export interface TarFolder {
  /** Undefined where there is no tar of that name. */
  open(name: string): Promise<OpenedTar | undefined>;
}

export interface OpenedTar {
  /** Another where the tar was made again, and its members lie elsewhere in it. */
  readonly build: string;
  /** Where each member lies. Reads the whole tar. */
  index(): Promise<Map<string, TarMember>>;
  /** Undefined where the tar was made again since it was opened. */
  read(member: TarMember): Promise<Uint8Array<ArrayBuffer> | undefined>;
  close(): Promise<void>;
}
