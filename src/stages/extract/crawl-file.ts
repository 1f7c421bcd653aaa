/** A crawl file that becomes a shard. */
export interface CrawlFile {
  /** Path or URL. */
  path: string;
  /** Changes when the content does, as far as can be known without reading it; without secrets. */
  digest: string;
}
