import { readFile } from 'node:fs/promises';
import { systemCode, UsageError } from '../contracts/errors.ts';

/** Keys and values of one profile. */
export type AwsProfile = Readonly<Record<string, string>>;

/**
 * A profile of `~/.aws/config` and `~/.aws/credentials` (the second wins); undefined where neither file has it.
 * Format: AWS's INI, where the sections of the first are `[profile NAME]`, those of the second `[NAME]`.
 */
export async function readAwsProfile(name: string, files: { config: string; credentials: string }): Promise<AwsProfile | undefined> {
  const config = sections(await textOf(files.config));
  const credentials = sections(await textOf(files.credentials));
  const found = [config.get(`profile ${name}`), name === 'default' ? config.get(name) : undefined, credentials.get(name)];
  return found.some((section) => section !== undefined) ? { ...found[0], ...found[1], ...found[2] } : undefined;
}

/** Sections by name. Indented lines are settings of settings (`s3 =`), which are left out. */
function sections(text: string): Map<string, Record<string, string>> {
  const all = new Map<string, Record<string, string>>();
  let section: Record<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const [, name] = /^\[\s*([^\]]*?)\s*\]/.exec(line) ?? [];
    const [, key, value] = /^([^\s=#;[][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) all.set(name.replace(/\s+/, ' '), (section = all.get(name) ?? {}));
    // A comment begins after white space.
    else if (section && key !== undefined) section[key.toLowerCase()] = value!.replace(/\s[#;].*$/, '').trimEnd();
  }
  return all;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return '';
    throw new UsageError(`${path} can't be read (${systemCode(error)}). Make it readable, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`);
  }
}
