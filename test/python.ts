import { execFileSync } from 'node:child_process';
import type { TestContext } from 'vitest';
import { pythons } from './local-paths.ts';

/**
 * Python with the given modules, for tests that let Python's own tools read our files: PAIRMILL_PYTHON, that of the peers
 * or that of the PATH. Where there is none the test is skipped and says so.
 */
export function requirePython(context: TestContext, ...modules: string[]): (script: string, args?: string[]) => string {
  const python = findPython(modules);
  if (!python) context.skip(`no Python with ${modules.join(', ')} (set PAIRMILL_PYTHON to one)`);
  return (script, args = []) => execFileSync(python, ['-c', script, ...args], { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
}

/** The path of a Python in which a script runs to its end, for tests that talk to it; else the test is skipped and says what is missing. */
export function requirePythonFor(context: TestContext, script: string, missing: string): string {
  const python = pythons.find((each) => runs(each, script));
  if (!python) context.skip(`no Python with ${missing} (set PAIRMILL_PYTHON to one)`);
  return python;
}

const found = new Map<string, string | undefined>();

function findPython(modules: string[]): string | undefined {
  const wanted = modules.join(', ');
  if (!found.has(wanted)) {
    found.set(
      wanted,
      pythons.find((python) => runs(python, `import ${wanted}`)),
    );
  }
  return found.get(wanted);
}

function runs(python: string, script: string): boolean {
  try {
    execFileSync(python, ['-c', script], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
