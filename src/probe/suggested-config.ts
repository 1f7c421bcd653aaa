import { stringify } from 'yaml';
import type { ProbeFindings } from './probe-findings.ts';

/** A configuration for `pairmill run` with the suggested thresholds, and where they come from. */
export function suggestedConfig(
  { samples, of, seed, models, suggested }: Pick<ProbeFindings, 'samples' | 'of' | 'seed' | 'models' | 'suggested'>,
  { input, runDir }: { input: string; runDir: string },
): string {
  const { percentile, thresholds, languages } = suggested;
  const codes = Object.entries(languages).sort(([a], [b]) => (a < b ? -1 : 1));
  const filter = {
    ...models,
    ...Object.fromEntries(Object.entries(thresholds).map(([set, threshold]) => [`threshold-${set}`, threshold])),
    ...(codes.length > 0 && { 'threshold-language': codes.map(([language, threshold]) => `${language}=${threshold}`) }),
  };
  const origin = `Written by pairmill probe: thresholds below which ${percentile} % of ${samples} samples lie (of ${of}, seed ${seed}).`;
  return `# ${origin}\n# pairmill run THIS_FILE\n${stringify({ 'run-dir': runDir, input, from: 'filter', filter })}`;
}
