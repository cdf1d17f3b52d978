/** A claim by its path, in own members of objects only; undefined when it is not there. */
export function claimAt(payload: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  let value: unknown = payload;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** A claim as Envoy writes it into a header (bytes of UTF-8, one character each); '' = no header. */
export function claimText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return Buffer.from(value.trim(), 'utf8').toString('latin1');
    case 'number':
      return numberText(value);
    case 'boolean':
      return String(value);
    case 'object':
      return value === null ? '' : Buffer.from(JSON.stringify(value), 'utf8').toString('base64');
    default:
      return '';
  }
}

/** Whole numbers that fit into 64 bits without sign as they are, every other with six decimals (C's %f). */
function numberText(value: number): string {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 64) return String(BigInt(value));
  return Number.isInteger(value) && Math.abs(value) >= 1e21 ? `${BigInt(value)}.000000` : value.toFixed(6);
}

/** RFC 9110 §5.5: no control characters but TAB. */
export function isHeaderValue(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(text);
}
