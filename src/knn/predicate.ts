import { scalarColumns, tagColumn } from './index-schema.ts';

/** What results must be. Applied before the neighbours are chosen, so that a search for k gives k where they exist. */
export interface KnnPredicate {
  /** Any of these; the empty string is "none found". */
  languages?: readonly string[] | undefined;
  minSimilarity?: number | undefined;
  minWidth?: number | undefined;
  minHeight?: number | undefined;
  /** By head; a sample without a value passes. */
  maxTags?: Readonly<Record<string, number>> | undefined;
  minTags?: Readonly<Record<string, number>> | undefined;
}

/** The predicate as LanceDB's SQL, or undefined where it lets everything through. Unknown heads are left out. */
export function predicateSql(predicate: KnnPredicate, heads: readonly string[]): string | undefined {
  const terms: string[] = [];
  if (predicate.languages && predicate.languages.length > 0)
    terms.push(`language IN (${predicate.languages.map((language) => `'${language.replaceAll("'", "''")}'`).join(', ')})`);
  const atLeast = (column: (typeof scalarColumns)[number], value: number | undefined): void => {
    if (value !== undefined && Number.isFinite(value)) terms.push(`${column} >= ${value}`);
  };
  atLeast('similarity', predicate.minSimilarity);
  atLeast('width', predicate.minWidth);
  atLeast('height', predicate.minHeight);
  for (const [bounds, comparison] of [
    [predicate.maxTags, '<='],
    [predicate.minTags, '>='],
  ] as const) {
    for (const [head, value] of Object.entries(bounds ?? {})) {
      // In backticks: heads are named by others, and the SQL folds bare names to lower case.
      if (heads.includes(head) && /^[\w-]+$/.test(head) && Number.isFinite(value))
        terms.push(`(\`${tagColumn(head)}\` IS NULL OR \`${tagColumn(head)}\` ${comparison} ${value})`);
    }
  }
  return terms.length > 0 ? terms.join(' AND ') : undefined;
}
