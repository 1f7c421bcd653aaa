/** Compares names of shards by their numbers: five digits and six stand in one order. */
export function byNumber(a: string, b: string): number {
  return a.length - b.length || Number(a > b) - Number(a < b);
}
