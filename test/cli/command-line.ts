import type { CommandIo } from '../../src/cli/command.ts';
import { describeError, runCommandLine } from '../../src/cli/command-line.ts';

export interface Ended {
  code: number;
  out: string;
  err: string;
}

/** Runs a command line in this process, as `pairmill` does in one of its own. */
export async function commandLine(argv: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  let [out, err] = ['', ''];
  const io: CommandIo = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    terminal: undefined,
    columns: 100,
    signal: new AbortController().signal,
    environment,
  };
  try {
    const code = await runCommandLine(argv, io);
    return { code, out, err };
  } catch (error) {
    const { text, exitCode } = describeError(error, false);
    return { code: exitCode, out, err: err + text };
  }
}
