import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir, readFile, statfs } from 'node:fs/promises';
import { lookup } from 'node:dns/promises';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { counted } from '../contracts/counted.ts';
import { messageOf } from '../contracts/errors.ts';
import { packageRoot } from '../contracts/package-root.ts';
import { installedPostgres } from '../db/postgres-package.ts';
import { chooseAccount } from '../db/server-account.ts';
import { bytesText } from './bytes-text.ts';

/** One thing of this machine that a run needs, and whether it is there. */
export interface MachineCheck {
  name: string;
  /** `stops`: a run would end because of it. `note`: a run would be slow, or would need something else. */
  verdict: 'ok' | 'note' | 'stops';
  what: string;
}

const exec = promisify(execFile);
/** Below this a run of any size has no room; below the other, one of a million links has none. */
const MIN_DISK_BYTES = 1e9;
const WANTED_DISK_BYTES = 50e9;
/** A model, a worker and PostgreSQL together. */
const MIN_MEMORY_BYTES = 2e9;
const NETWORK_TIMEOUT_MS = 5_000;

export interface MachineQuestions {
  /** An absolute path; need not exist yet. */
  runDir: string;
  modelCache: string;
  hubUrl: string;
  /** Send one request to the hub, beyond looking up its name. */
  request: boolean;
}

export async function checkMachine({ runDir, modelCache, hubUrl, request }: MachineQuestions): Promise<MachineCheck[]> {
  return Promise.all([
    node(),
    Promise.resolve(cores()),
    Promise.resolve(memory()),
    disk(runDir),
    gpu(),
    postgres(),
    models(modelCache),
    network(hubUrl, request),
  ]);
}

async function node(): Promise<MachineCheck> {
  const { engines } = JSON.parse(await readFile(join(packageRoot(), 'package.json'), 'utf8')) as { engines?: { node?: string } };
  const wanted = Number(/\d+/.exec(engines?.node ?? '')?.[0] ?? 0);
  const fits = Number(process.versions.node.split('.')[0]) >= wanted;
  return { name: 'Node.js', verdict: fits ? 'ok' : 'stops', what: `${process.version}${fits ? '' : `. Pairmill needs ${wanted} or later.`}` };
}

function cores(): MachineCheck {
  return { name: 'cores', verdict: 'ok', what: `${counted(availableParallelism(), 'cores')}, so as many shards at a time unless --workers says otherwise.` };
}

function memory(): MachineCheck {
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  const enough = total >= MIN_MEMORY_BYTES;
  return {
    name: 'memory',
    verdict: enough ? 'ok' : 'note',
    what: `${bytesText(total)}, of which ${bytesText(process.availableMemory())} are free.${enough ? '' : ' Give fewer --workers: each loads a model of its own.'}`,
  };
}

async function disk(runDir: string): Promise<MachineCheck> {
  const name = 'disk';
  let folder = runDir;
  while (dirname(folder) !== folder && !(await isThere(folder))) folder = dirname(folder);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const what = `${bytesText(free)} are free for ${runDir}.`;
    if (free < MIN_DISK_BYTES) return { name, verdict: 'stops', what: `${what} That is too little for a run. Name a folder on a larger disk with --run-dir.` };
    return {
      name,
      verdict: free < WANTED_DISK_BYTES ? 'note' : 'ok',
      what: free < WANTED_DISK_BYTES ? `${what} A million downloaded pictures take about 25 GB.` : what,
    };
  } catch {
    return { name, verdict: 'stops', what: `${folder} can't be written by this user. Name another folder with --run-dir.` };
  }
}

async function gpu(): Promise<MachineCheck> {
  const found = await exec('nvidia-smi', ['--query-gpu=name,memory.total', '--format=csv,noheader']).then(
    ({ stdout }) => stdout.trim().split('\n').filter(Boolean),
    () => [],
  );
  return { name: 'GPU', verdict: 'ok', what: found.length === 0 ? 'None was found (nvidia-smi). Models compute on the cores.' : `${found.join('; ')}.` };
}

async function postgres(): Promise<MachineCheck> {
  try {
    installedPostgres();
    const { how } = await chooseAccount(true);
    const as = { own: 'as this user', namespace: 'in a user namespace, because PostgreSQL refuses root', nobody: 'as nobody, because PostgreSQL refuses root' }[
      how
    ];
    return { name: 'PostgreSQL', verdict: 'ok', what: `The server that comes with Pairmill can start here, ${as}.` };
  } catch (error) {
    return { name: 'PostgreSQL', verdict: 'stops', what: messageOf(error) };
  }
}

async function models(folder: string): Promise<MachineCheck> {
  const name = 'models';
  try {
    const kept = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    return {
      name,
      verdict: 'ok',
      what: kept.length === 0 ? `${folder} is empty; models are downloaded on first use.` : `${folder} has ${kept.sort().join(', ')}.`,
    };
  } catch {
    return { name, verdict: 'ok', what: `${folder} is not there yet; models are downloaded on first use. The model mini comes with Pairmill.` };
  }
}

async function network(hubUrl: string, request: boolean): Promise<MachineCheck> {
  const name = 'network';
  const { hostname } = new URL(hubUrl);
  const offline = 'Without a network, only what is on this machine can be read, and models must be given as folders (--model).';
  try {
    await withTimeout(lookup(hostname));
  } catch {
    return { name, verdict: 'note', what: `The name ${hostname} can't be resolved. ${offline}` };
  }
  if (!request) return { name, verdict: 'ok', what: `Names are resolved (${hostname}). No request was sent; --request sends one.` };
  try {
    const { status } = await fetch(hubUrl, { method: 'HEAD', signal: AbortSignal.timeout(NETWORK_TIMEOUT_MS) });
    return { name, verdict: status < 500 ? 'ok' : 'note', what: `${hubUrl} answers (${status}).` };
  } catch (error) {
    return { name, verdict: 'note', what: `${hubUrl} does not answer (${messageOf(error instanceof Error && error.cause ? error.cause : error)}). ${offline}` };
  }
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => (timer = setTimeout(() => reject(new Error('no answer in time')), NETWORK_TIMEOUT_MS)));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
