import type { Dropped } from '../contracts/drop-reason.ts';
import type { Stage } from '../contracts/stage.ts';
import { optionFields } from '../runtime/option-fields.ts';
import { stableJson } from '../runtime/stable-json.ts';
import { canHeal } from './retry-reasons.ts';

/** A sentence that helps; one about an option counts where the stage has that. */
interface Advice {
  readonly option?: string;
  readonly text: string;
}

/** What helps where most items of a stage are dropped for one reason. */
const ADVICE: Readonly<Record<string, Readonly<Record<string, readonly Advice[]>>>> = {
  download: {
    'private-address': [
      { text: 'Addresses of a private network are refused, so that a list of links can reach nothing in it.' },
      { option: 'allow-address', text: '--allow-address ADDRESS lets one in.' },
      { option: 'connect-to', text: '--connect-to HOST:PORT:ADDRESS:PORT sends the requests for one host to an address that you name.' },
    ],
    'dns-failed': [
      { text: 'No host name could be resolved for these. Is there a network? pairmill doctor says so.' },
      { option: 'connect-to', text: '--connect-to names the address of a host that has no name here.' },
    ],
    'connection-failed': [
      {
        text: 'Is there a network, and no proxy in between? pairmill doctor says so. The rejects say how each connection ended; where a certificate is that of your own network, NODE_EXTRA_CA_CERTS=FILE names it.',
      },
    ],
    timeout: [
      { option: 'timeout', text: '--timeout gives each request more seconds.' },
      { option: 'concurrency', text: '--concurrency sends fewer requests at a time.' },
    ],
    'http-too-many-requests': [{ option: 'host-concurrency', text: '--host-concurrency 1 asks each host for one picture at a time.' }],
    'robots-txt': [{ text: 'The hosts refuse robots, or this one by its name, pairmill.' }],
    'too-few-bytes': [{ option: 'min-bytes', text: '--min-bytes takes smaller files.' }],
    'image-too-small': [{ option: 'min-image-size', text: '--min-image-size takes smaller pictures.' }],
    'not-an-image': [{ text: 'Look at some of these links: they lead to pages, or to formats other than JPEG, PNG and WebP.' }],
  },
  filter: {
    similarity: [{ option: 'threshold', text: '--threshold keeps samples that are less alike; the rejects say how alike each is.' }],
  },
  extract: {
    'no-text': [{ option: 'document-type', text: '--document-type image_only takes images without alt text.' }],
    'text-too-short': [{ option: 'min-text-length', text: '--min-text-length takes shorter texts.' }],
  },
};

/** What a stage was made with. */
interface Made {
  readonly options: Readonly<Record<string, unknown>>;
  /** True where all its shards were finished before this command, whose options they may not have had. */
  readonly before: boolean;
}

/** What helps against the most frequent reason, in sentences; empty where nothing is known. What was followed already is not said again. */
export function dropAdvice(stage: Stage, dropped: Dropped, { options, before }: Made): string {
  const [first] = Object.entries(dropped).sort(([, a], [, b]) => b - a);
  if (first === undefined) return '';
  const [reason] = first;
  const fields = new Map(optionFields(stage.options).map((field) => [field.flag, field]));
  const valueOf = (flag: string): unknown => {
    const { key, default: fallback } = fields.get(flag)!;
    return stableJson(options[key] ?? null) === stableJson(fallback ?? null) ? undefined : options[key];
  };
  const sentences = (ADVICE[stage.name]?.[reason] ?? []).flatMap(({ option, text }) => {
    if (option === undefined) return [text];
    if (!fields.has(option)) return [];
    const value = valueOf(option);
    if (value === undefined) return [text];
    return Array.isArray(value) ? [`--${option} ${value.join(',')} did not help.`] : [`${text} It is ${String(value)} now.`];
  });
  // The option came after the shards: they are finished, and stay as they are.
  const given = ['connect-to', 'allow-address'].find((flag) => fields.has(flag) && valueOf(flag) !== undefined);
  if (before && stage.name === 'download' && reason === 'private-address' && given !== undefined)
    return `--${given} is given now, and these shards were finished before. --retry-failed private-address asks for their links again.`;
  if (stage.retries && canHeal(reason)) sentences.push(`Later, the same command with --retry-failed ${reason} asks for such links again.`);
  return sentences.join(' ');
}
