/** Items a second, as people read them: 12.3, 1,240; - where there is none. */
export function formatRate(rate: number): string {
  if (!Number.isFinite(rate)) return '-';
  return rate >= 99.95 ? Math.round(rate).toLocaleString('en') : rate.toFixed(1);
}

/** Seconds with their unit: 1.2 s, 3 min, 2.5 h. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  if (seconds < 99.5) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
