import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Counts, namesOfVitest, none, ofExit, ofLog, ofPlaywright, ofVitest, skipped, sum } from './counts.ts';

const SHOWN_TESTS = 40;

export interface StepContext {
  root: string;
  /** Empty folder for this run of the checks; removed after it. */
  scratch: string;
  /** File that the step's commands write to. */
  log: string;
  /** Runs a command to its end and gives its exit code. */
  run(command: string, args: string[], more?: { cwd?: string; env?: NodeJS.ProcessEnv }): Promise<number>;
  /** A line for the reader of the log. */
  say(line: string): void;
}

export interface Step {
  name: string;
  what: string;
  /** The step is killed after this time. */
  minutes: number;
  run(context: StepContext): Promise<Counts>;
}

const command = (name: string, what: string, line: string): Step => ({
  name,
  what,
  minutes: 3,
  run: async ({ run }) => {
    const [program = '', ...args] = line.split(' ');
    return ofExit(await run(program, args));
  },
});

/** Cheap ones first; the whole pipeline runs before the tests that look at what it made. */
export const steps: Step[] = [
  command('lint', 'oxlint with types and import directions', 'oxlint --format unix'),
  command('types', 'TypeScript over src, test and all scripts', 'tsc -p .'),
  command('types-web', 'TypeScript over the page', 'tsc -p web'),
  command('format', 'oxfmt', 'oxfmt --list-different'),
  command('dead-code', 'knip: files, exports and dependencies that nothing uses', 'knip --no-progress'),
  command('docs', 'generated pages are up to date', 'node src/cli/main.ts docs --check'),
  command('ui', 'the page builds', 'node .ci/build-web.ts'),
  { name: 'pipeline', what: 'npm start over the whole example crawl', minutes: 8, run: runPipeline },
  { name: 'interop', what: "Python's readers on what the pipeline wrote", minutes: 5, run: runInterop },
  { name: 'test', what: 'npm test', minutes: 20, run: (context) => runVitest(context, 'npm', ['test', '--']) },
  { name: 'e2e', what: 'browser tests', minutes: 6, run: runBrowser },
  {
    name: 'kills',
    what: 'kill -9 at named and random points, signals in each stage',
    minutes: 15,
    run: (context) => runVitest(context, 'vitest', ['run', '--project', 'kills']),
  },
  { name: 'package', what: 'npm pack, installed into an empty folder, runs the demo and opens every door of docs/your-data.md', minutes: 10, run: runPackage },
];

/** Run folder of the pipeline step, for the steps after it. */
const demoRun = ({ scratch }: StepContext): string => join(scratch, 'demo');

/** Tests of the whole run look at the pipeline step's folder where there is one, else they make a small run of their own. */
function demoEnvironment(context: StepContext): NodeJS.ProcessEnv {
  return existsSync(join(demoRun(context), 'summary.json')) ? { PAIRMILL_DEMO_RUN: demoRun(context) } : {};
}

async function runPipeline(context: StepContext): Promise<Counts> {
  const code = await context.run('npm', ['start', '--', '--no-serve', '--run-dir', demoRun(context)]);
  return wholeRun(context, code, demoRun(context));
}

/** A demo run counts where it exited with 0, left every folder, and every stage passed something on. */
function wholeRun({ say }: StepContext, code: number, folder: string): Counts {
  if (code !== 0) return ofExit(code);
  const missing = ['candidates', 'links', 'samples', 'pairs', 'embeddings', 'tags', 'release', 'index', 'summary.json'].filter(
    (name) => !existsSync(join(folder, name)),
  );
  if (missing.length > 0) {
    say(`the run exited with 0, but ${folder} lacks ${missing.join(', ')}`);
    return ofExit(1);
  }
  const { stages } = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')) as { stages: { name: string; in: number; out: number; seconds: number }[] };
  for (const stage of stages) say(`${stage.name} ${stage.in} in, ${stage.out} out, ${stage.seconds.toFixed(1)} s`);
  return ofExit(stages.every((stage) => stage.out > 0) ? 0 : 1);
}

async function runInterop(context: StepContext): Promise<Counts> {
  const { root, run, say, log } = context;
  const python = process.env['PAIRMILL_PYTHON'] ?? join(root, '.cache/python/bin/python');
  if (!existsSync(python)) {
    say(`skipped: no ${python}; .ci/run makes it, or set PAIRMILL_PYTHON`);
    return skipped;
  }
  if (!existsSync(join(demoRun(context), 'summary.json'))) {
    say('no run folder to read: the step needs the step pipeline before it');
    return ofExit(1);
  }
  return ofLog(log, await run(python, ['.ci/interop.py', demoRun(context)]));
}

async function runVitest(context: StepContext, program: string, args: string[], more: NodeJS.ProcessEnv = {}): Promise<Counts> {
  const report = `${context.log}.json`;
  const skippedList = `${context.log}.skipped`;
  const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`, '--reporter=./.ci/skipped-reporter.ts'];
  const code = await context.run(program, [...args, ...reporters], { env: { ...demoEnvironment(context), ...more, CI_SKIPPED_TESTS: skippedList } });
  const names = namesOfVitest(report, skippedList);
  for (const name of names.slice(0, SHOWN_TESTS)) context.say(name);
  if (names.length > SHOWN_TESTS) context.say(`and ${names.length - SHOWN_TESTS} more`);
  return ofVitest(report, code);
}

async function runBrowser(context: StepContext): Promise<Counts> {
  const report = `${context.log}.json`;
  const code = await context.run('npm', ['run', 'e2e', '--', '--reporter=line,json'], {
    env: { ...demoEnvironment(context), PLAYWRIGHT_JSON_OUTPUT_NAME: report },
  });
  const counts = ofPlaywright(report, code);
  if (counts.skipped > 0) context.say(`${counts.skipped} skipped: no Chromium (set PAIRMILL_CHROMIUM to its path)`);
  return counts;
}

async function runPackage(context: StepContext): Promise<Counts> {
  const { root, scratch, run } = context;
  const packed = join(scratch, 'packed');
  const project = join(scratch, 'project');
  for (const folder of [packed, project]) mkdirSync(folder);
  const env = outsideNpm(process.env, root);
  const counts = [ofExit(await run('npm', ['pack', '--pack-destination', packed]))];
  const tarball = readdirSync(packed).find((name) => name.endsWith('.tgz'));
  if (!tarball) return sum([...counts, { ...none, failed: 2 }]);
  counts.push(ofExit(await run('npm', ['install', '--no-fund', '--no-audit', '--loglevel=error', join(packed, tarball)], { cwd: project, env })));
  const code = await run('npx', ['--no-install', 'pairmill', 'demo', '--no-serve', '--run-dir', 'run'], { cwd: project, env });
  counts.push(wholeRun(context, code, join(project, 'run')));
  const launcher = join(project, 'node_modules/pairmill/bin/pairmill.js');
  counts.push(await runVitest(context, 'vitest', ['run', '--project', 'tests', 'test/pipeline/doors.test.ts'], { PAIRMILL_LAUNCHER: launcher }));
  return sum(counts);
}

/**
 * The environment of someone who types npm in a folder of their own: without what `npm run` set for its scripts, and
 * without this repository's Node 24 first in the PATH, so that the launcher has to find its own.
 */
function outsideNpm(env: NodeJS.ProcessEnv, root: string): NodeJS.ProcessEnv {
  const inherited = /^npm_(package|lifecycle|command|execpath|node_execpath|config_local_prefix|config_allow_scripts)/;
  const kept = Object.entries(env).map(([name, value]) => [name, inherited.test(name) || name === 'INIT_CWD' ? undefined : value]);
  const path = (env['PATH'] ?? '').split(':').filter((folder) => !folder.startsWith(join(root, 'node_modules')) && !folder.includes('node-gyp-bin'));
  return { ...(Object.fromEntries(kept) as NodeJS.ProcessEnv), PATH: path.join(':') };
}
