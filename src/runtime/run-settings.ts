/**
 * What every process that works on a run knows of it: plain data without secrets. Locations are absolute paths or s3:// URLs.
 */
export interface RunSettings {
  /** The run's folder or prefix. */
  readonly location: string;
  /** Random, given to the run once. */
  readonly id: string;
  /** Where each dataset lies. */
  readonly locations: Readonly<Record<string, string>>;
  /** `--input` of stages that take files from outside. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Options of each stage. */
  readonly options: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly rejects: 'sample' | 'all';
  /** Where rejects lie; `rejects/` of the run where it is absent. */
  readonly rejectsLocation?: string | undefined;
  readonly acceptChanged: boolean;
}
