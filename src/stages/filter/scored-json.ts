/**
 * The json member of a pair: that of the sample with `similarity` and `NSFW` added. Numbers keep their source text, so
 * that the 64-bit `hash` is not rounded; the indent and Python's ASCII escapes stay where the sample has them.
 */
export function scoredJson(json: Uint8Array, similarity: number): Buffer {
  const text = Buffer.from(json).toString('utf8');
  const sample = JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && context?.source !== undefined ? rawJson(context.source) : value,
  ) as Record<string, unknown>;
  const indent = /^\{\r?\n( +)/.exec(text)?.[1];
  const scored = JSON.stringify({ ...sample, similarity, NSFW: null }, null, indent);
  // eslint-disable-next-line no-control-regex
  if (!/^[\x00-\x7F]*$/.test(text)) return Buffer.from(scored);
  return Buffer.from(scored.replace(/[\u0080-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

// Not yet in TypeScript's own declarations.
const { rawJSON: rawJson } = JSON as typeof JSON & { rawJSON(text: string): unknown };
