/** Directives with a value of their own: what stands before their colon is no agent. */
const VALUED_DIRECTIVES = new Set(['unavailable_after', 'max-snippet', 'max-image-preview', 'max-video-preview']);

/** `none` is short for noindex and nofollow. */
const MEANS: Readonly<Record<string, string>> = { none: 'noindex' };

/**
 * The first directive of X-Robots-Tag headers that is in `disallowed` and meant for us, or undefined.
 * `headers` has one string a header line: `noai, noindex`, or `agent: noai, noindex`, where the agent holds up to the
 * next agent of the line. `token` is our product token, lower case. Format: developers.google.com/search robots_meta_tag.
 */
export function disallowedDirective(headers: readonly string[], token: string, disallowed: ReadonlySet<string>): string | undefined {
  for (const header of headers) {
    let forUs = true;
    for (const part of header.split(',')) {
      let directive = part.trim().toLowerCase();
      // An agent is one word: ` 03 Dec 2025 13:09` is the rest of a date.
      const match = /^([^\s:]+)\s*:(.*)$/.exec(directive);
      if (match && !VALUED_DIRECTIVES.has(match[1]!)) {
        const agent = match[1]!.split('/')[0]!;
        forUs = agent === token || agent === '*';
        directive = match[2]!.trim();
      }
      if (forUs && disallowed.has(MEANS[directive] ?? directive)) return directive;
    }
  }
  return undefined;
}
