import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** Writes each skipped test with its reason, a line each, to the file that CI_SKIPPED_TESTS names: vitest's JSON report leaves the reason out. */
export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines: string[] = [];
    for (const { children, relativeModuleId } of modules) {
      for (const test of children.allTests('skipped')) {
        const result = test.result();
        lines.push(`${relativeModuleId} ${test.fullName}: ${(result.state === 'skipped' && result.note) || 'not on a machine or for a user like this'}`);
      }
    }
    writeFileSync(process.env['CI_SKIPPED_TESTS']!, lines.join('\n'));
  }
}
