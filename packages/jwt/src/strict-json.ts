/** Root object included; protobuf's parser, which Envoy uses, stops at the same depth. */
const MAX_DEPTH = 100;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A JSON object as Envoy reads it into a protobuf Struct, or undefined. Stricter than JSON.parse: no name twice in one object, no
 * lone surrogate, no number beyond a double, no bad UTF-8, at most 100 levels. `null` is an empty object.
 */
export function parseStrictObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = utf8.decode(bytes);
    const names = countNames(text);
    if (names === undefined) return undefined;
    const value: unknown = JSON.parse(text);
    if (value === null) return {};
    if (typeof value !== 'object' || Array.isArray(value)) return undefined;
    // JSON.parse keeps the last of two equal names: then the tree has fewer than the text.
    return countInTree(value) === names ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // not UTF-8 or not JSON; which of both is nobody's business
  }
}

/** How many names the objects of the text have; undefined when it is nested too deeply. */
function countNames(text: string): number | undefined {
  let names = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at);
        break;
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > MAX_DEPTH) return undefined;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
      case 0x3a: // : stands after each name, and nowhere else outside of strings
        names++;
    }
  }
  return names;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}

/** Names in the tree; NaN, which equals nothing, when a value is one that Envoy refuses. */
function countInTree(value: unknown): number {
  if (typeof value === 'string') return value.isWellFormed() ? 0 : Number.NaN;
  if (typeof value === 'number') return Number.isFinite(value) ? 0 : Number.NaN;
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countInTree(item), 0);
  let names = 0;
  for (const [name, item] of Object.entries(value)) names += name.isWellFormed() ? 1 + countInTree(item) : Number.NaN;
  return names;
}
