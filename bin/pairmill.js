#!/usr/bin/env node
// Plain JavaScript that Node 20 can parse: starts pairmill, on the Node of npm's platform package where the one that
// runs this file is too old.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const WANTED = 24;
// "X is an experimental feature" is no news to who runs a crawl. Worker threads inherit the flag.
const FLAGS = ['--disable-warning=ExperimentalWarning'];

const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));

keepCompiled();
if (major() >= WANTED) {
  await import(pathToFileURL(entry()).href);
} else {
  runOn(platformNode());
}

/** In a clone the sources, as they are; in the published package dist/, as Node strips no types under node_modules. */
function entry() {
  const source = join(root, 'src', 'cli', 'main.ts');
  const built = join(root, 'dist', 'src', 'cli', 'main.js');
  const installed = root.split(sep).includes('node_modules');
  const file = !installed && existsSync(source) ? source : built;
  if (existsSync(file)) return file;
  return fail(`${file} is missing. Install the package again.`);
}

/**
 * What Node has compiled is kept for the next start, which halves its processor time. The variable tells worker threads, and the
 * other Node. Without a home to write to it is done without.
 */
function keepCompiled() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  if (process.env.NODE_COMPILE_CACHE === undefined && existsSync(dirname(base))) {
    const folders = [base, join(base, 'pairmill'), join(base, 'pairmill', 'compiled')];
    try {
      // One by one: below /proc, `recursive` never ends.
      for (const folder of folders) if (!existsSync(folder)) mkdirSync(folder);
      process.env.NODE_COMPILE_CACHE = folders.at(-1);
    } catch {
      return;
    }
  }
  // Node 20 has none, and only starts the other Node.
  if (process.env.NODE_COMPILE_CACHE !== undefined) module.enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
}

function major() {
  return Number(process.versions.node.split('.')[0]);
}

/** Path of the Node that came with our optional dependencies. */
function platformNode() {
  const name = `node-${process.platform}-${process.arch}`;
  try {
    const path = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'node');
    if (existsSync(path)) return path;
  } catch {
    // Not installed: the message below says so.
  }
  return fail(`Node ${WANTED} or newer is needed. This is ${process.version}, and the package ${name} is not installed (was --omit=optional given?).`);
}

/**
 * Runs this file again on another Node and ends as it does. The child stays in our process group, so that Ctrl-C and
 * kill -9 of the group reach both. A signal is passed on whether it was sent to this process alone or by a terminal to
 * the whole group, as the two can't be told apart: the child may get it twice within milliseconds, and takes that for one
 * (SAME_SIGNAL_MS in src/cli/main.ts). The channel between the two closes when this process is killed: then
 * the child stops too.
 * @param {string} node
 */
function runOn(node) {
  const child = spawn(node, [...FLAGS, self, ...process.argv.slice(2)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'])) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`${node} can't be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** @param {string} message @returns {never} */
function fail(message) {
  process.stderr.write(`pairmill: ${message}\n`);
  return process.exit(2);
}
