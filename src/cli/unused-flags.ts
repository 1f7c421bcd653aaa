import type { Stage } from '../contracts/stage.ts';
import { pipeline } from '../pipeline.ts';
import { optionFields } from '../runtime/option-fields.ts';

/** What is said of flags that belong to stages which the command does not run. `stages` are those that it runs. */
export function unusedFlags(flags: Readonly<Record<string, unknown>>, stages: readonly Stage[]): string[] {
  const runs = new Set(stages.map(({ name }) => name));
  return Object.keys(flags).flatMap((flag) => {
    const owners = pipeline.filter((stage) => flagsOf(stage).has(flag)).map(({ name }) => name);
    if (owners.length === 0 || owners.some((name) => runs.has(name))) return [];
    const next = owners.includes('filter') ? ' --from filter puts it in.' : '';
    return [`--${flag} has no effect, because it is an option of ${owners.join(', ')}, and this run has no such stage.${next}`];
  });
}

function flagsOf({ name, options }: Stage): Set<string> {
  return new Set(optionFields(options).flatMap(({ flag, aliases = [] }) => [flag, ...aliases, `${name}.${flag}`]));
}
