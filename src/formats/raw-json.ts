/** JSON text that is written as it stands (ECMAScript 2026): not yet in TypeScript's own declarations. */
export const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

/** A reviver as `JSON.parse` calls it: `source` is the text of a number. */
type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;

/** `JSON.parse` that also takes Python's NaN and Infinity, which become null. Throws SyntaxError for anything else. */
export function parsePythonJson(text: string, revive?: Reviver): unknown {
  try {
    return JSON.parse(text, revive) as unknown;
  } catch (error) {
    const mended = text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) => (token.startsWith('"') ? token : 'null'));
    if (mended === text) throw error;
    return JSON.parse(mended, revive) as unknown;
  }
}

/** Numbers kept as their source text, so that writing them again neither rounds nor respells them. */
export const keepNumbers: Reviver = (_key, value, context) => (typeof value === 'number' && context?.source !== undefined ? rawJson(context.source) : value);
