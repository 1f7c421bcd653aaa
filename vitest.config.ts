import { defineConfig } from 'vitest/config';

const common = {
  // A worker holds DuckDB, sharp and onnxruntime, each with threads of its own: three at most, as some tests wait more than they
  // compute, in processes of their own, so that a native crash costs one file of tests.
  pool: 'forks' as const,
  maxWorkers: 3,
  // PostgreSQL (initdb 1.8 s alone), LanceDB and the models start in hooks and tests, on loaded machines too.
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'tests', include: ['test/**/*.test.ts'], exclude: ['test/kills/**'] } },
      // Kills a whole run at named points and at random moments, and starts it again: `npx vitest run --project kills`.
      { test: { ...common, name: 'kills', include: ['test/kills/**/*.test.ts'], maxWorkers: 1, testTimeout: 240_000, hookTimeout: 600_000 } },
    ],
  },
});
