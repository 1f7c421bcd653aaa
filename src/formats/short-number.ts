/** Three significant digits without an exponent; whole from 1,000 on. */
export function shortNumber(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
