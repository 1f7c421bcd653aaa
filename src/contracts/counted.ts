/** A number with its noun, given in the plural: `counted(1, 'shards')` is "1 shard", `counted(1200, 'links')` "1,200 links". */
export function counted(n: number, plural: string): string {
  return `${n.toLocaleString('en')} ${nounFor(n, plural)}`;
}

/** The noun alone, as it goes with the number. */
export function nounFor(n: number, plural: string): string {
  return n === 1 ? plural.replace(/(?<=ch|sh|x)es$|s$/, '') : plural;
}
