import { existsSync, readFileSync } from 'node:fs';

/** Tests of a step. A step without tests of its own is one check. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export const none: Counts = { passed: 0, failed: 0, skipped: 0 };
export const skipped: Counts = { ...none, skipped: 1 };

export function sum(all: Counts[]): Counts {
  return all.reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }), none);
}

export function ofExit(code: number): Counts {
  return code === 0 ? { ...none, passed: 1 } : { ...none, failed: 1 };
}

/** Counts of vitest's JSON report. */
export function ofVitest(report: string, code: number): Counts {
  const json = read<{ numPassedTests: number; numFailedTests: number; numPendingTests: number; numTodoTests: number }>(report);
  return json
    ? agreed({ passed: json.numPassedTests, failed: json.numFailedTests, skipped: json.numPendingTests + json.numTodoTests }, code)
    : ofExit(code || 1);
}

/** Failed tests of vitest's JSON report, and the skipped ones with their reasons, so that none goes unseen behind a number. */
export function namesOfVitest(report: string, skippedList: string): string[] {
  const json = read<{ testResults: { name: string; assertionResults: { status: string; fullName: string }[] }[] }>(report);
  const tests =
    json?.testResults.flatMap(({ name, assertionResults }) => assertionResults.map((test) => ({ ...test, file: name.replace(/^.*\/test\//, 'test/') }))) ?? [];
  const skippedTests = existsSync(skippedList) ? readFileSync(skippedList, 'utf8').split('\n').filter(Boolean) : [];
  return [
    ...tests.filter(({ status }) => status === 'failed').map(({ file, fullName }) => `failed: ${file} ${fullName}`),
    ...skippedTests.map((line) => `skipped: ${line}`),
  ];
}

/** Counts of Playwright's JSON report. A test that passed on a second try only is a failed one. */
export function ofPlaywright(report: string, code: number): Counts {
  const json = read<{ stats: { expected: number; unexpected: number; flaky: number; skipped: number } }>(report);
  return json
    ? agreed({ passed: json.stats.expected, failed: json.stats.unexpected + json.stats.flaky, skipped: json.stats.skipped }, code)
    : ofExit(code || 1);
}

/** Counts of a log whose last line of the form `N passed, N failed` holds them. */
export function ofLog(log: string, code: number): Counts {
  const found = [...readFileSync(log, 'utf8').matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  return found ? agreed({ passed: Number(found[1]), failed: Number(found[2]), skipped: 0 }, code) : ofExit(code || 1);
}

/** A runner that failed without naming a test (a suite that does not load, say) failed all the same; so did one without tests. */
function agreed(counts: Counts, code: number): Counts {
  const empty = counts.passed + counts.failed + counts.skipped === 0;
  return (code !== 0 && counts.failed === 0) || empty ? { ...counts, failed: counts.failed + 1 } : counts;
}

function read<T>(path: string): T | undefined {
  if (!existsSync(path)) return undefined;
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
