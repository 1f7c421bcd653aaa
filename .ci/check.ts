import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Counts, none, ofExit, sum } from './counts.ts';
import { killRunning, runCommand, tail } from './run-command.ts';
import { type Step, steps } from './steps.ts';

/**
 * All that CI runs: `npm run check`, or some steps of it: `npm run check -- lint types`. A step that fails does not stop
 * the next. The last line is `N passed, N failed, N skipped` over all steps. Logs stay in .cache/check.
 */
const MINUTE = 60_000;
/** It takes about 20 minutes on two idle cores; a machine that is slow for a while should not fail for it. */
const TOTAL_MS = 45 * MINUTE;
const FAILED_LOG_LINES = 80;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  // What .ci/run did before Node was there.
  options: { passed: { type: 'string' }, failed: { type: 'string' }, skipped: { type: 'string' }, 'spent-seconds': { type: 'string' } },
});
const unknown = positionals.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`unknown step ${unknown.join(', ')}; there are:\n${steps.map(({ name, what }) => `  ${name.padEnd(10)} ${what}`).join('\n')}`);
  process.exit(2);
}

const root = join(import.meta.dirname, '..');
const logs = join(root, '.cache/check');
const scratch = mkdtempSync(join(tmpdir(), 'pairmill-check-'));
const deadline = performance.now() + TOTAL_MS - 1000 * Number(values['spent-seconds'] ?? 0);
// The node_modules/.bin of this repository first, also where this was not started by npm.
const env = { ...process.env, CI: 'true', NO_COLOR: '1', PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` };

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    killRunning();
    rmSync(scratch, { recursive: true, force: true });
    process.exit(130);
  });
}

rmSync(logs, { recursive: true, force: true });
mkdirSync(logs, { recursive: true });
const totals: Counts[] = [{ passed: Number(values.passed ?? 0), failed: Number(values.failed ?? 0), skipped: Number(values.skipped ?? 0) }];
const chosen = positionals.length > 0 ? steps.filter(({ name }) => positionals.includes(name)) : steps;
try {
  for (const step of chosen) totals.push(await runStep(step));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
const total = sum(totals);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;

async function runStep(step: Step): Promise<Counts> {
  const log = join(logs, `${step.name}.log`);
  const started = performance.now();
  const ends = Math.min(deadline, started + step.minutes * MINUTE);
  const notes: string[] = [];
  let counts: Counts = none;
  try {
    counts = await step.run({
      root,
      scratch,
      log,
      run: (command, args, more) => {
        const timeoutMs = Math.max(1000, ends - performance.now());
        return runCommand(command, args, { log, cwd: more?.cwd ?? root, env: { ...env, ...more?.env }, timeoutMs });
      },
      say: (line) => notes.push(line),
    });
  } catch (error) {
    notes.push(error instanceof Error ? error.message : String(error));
    counts = ofExit(1);
  }
  if (performance.now() > ends) notes.push('it ran out of time');
  const verdict = counts.failed > 0 ? 'FAILED' : counts.passed === 0 ? 'skipped' : 'ok';
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `${verdict.padEnd(7)} ${step.name.padEnd(10)} ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds} s: ${step.what}`,
  );
  for (const note of notes) console.log(`        ${note}`);
  if (counts.failed > 0) console.log(`${tail(log, FAILED_LOG_LINES).replaceAll(/^/gm, '      | ')}\n`);
  return counts;
}
