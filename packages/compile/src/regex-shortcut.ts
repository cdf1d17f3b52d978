/*
 * What of a pattern needs no engine. A shortcut that is not taken costs time alone; one that says something else than RE2 lets somebody in
 * or keeps him out.
 */

/** Of one character. No metacharacters of RE2. */
const LITERAL = /[A-Za-z0-9 _~!@#%&=:;"'<>,/-]/;
/** Characters that a backslash makes literal; before a letter or digit it means something else. */
const ESCAPABLE = /[.+*?()|[\]{}^$/-]/;

/** What every text that the pattern takes begins with; most texts are not its own, and need no engine to say so. */
export function literalPrefix(pattern: string): string {
  if (pattern.includes('|')) return '';
  let prefix = '';
  for (let index = 0; index < pattern.length; index++) {
    const escaped = pattern[index] === '\\' ? pattern[++index] : undefined;
    const char = escaped ?? pattern[index]!;
    if (escaped === undefined ? !LITERAL.test(char) : !ESCAPABLE.test(escaped)) break;
    if (/[*?{]/.test(pattern[index + 1] ?? '')) break;
    prefix += char;
  }
  return prefix;
}

/** The test that a literal, `.*`, `.+`, `literal.*`, `.*literal` or `.*literal.*` is; undefined for other patterns. */
export function stringTest(pattern: string): ((text: string) => boolean) | undefined {
  const whole = literalOf(pattern);
  if (whole !== undefined) return (text) => text === whole;
  // `.` does not match a newline in RE2, and header values or paths hold none.
  if (pattern === '.*') return () => true;
  if (pattern === '.+') return (text) => text !== '';
  const isOpen = pattern.endsWith('.*') && !pattern.endsWith('\\.*');
  if (isOpen) {
    const prefix = literalOf(pattern.slice(0, -2));
    if (prefix !== undefined) return (text) => text.startsWith(prefix);
  }
  if (!pattern.startsWith('.*')) return undefined;
  const suffix = literalOf(pattern.slice(2));
  if (suffix !== undefined) return (text) => text.endsWith(suffix);
  const middle = isOpen ? literalOf(pattern.slice(2, -2)) : undefined;
  return middle === undefined ? undefined : (text) => text.includes(middle);
}

/** The text that a pattern without metacharacters stands for. */
function literalOf(pattern: string): string | undefined {
  let literal = '';
  for (let index = 0; index < pattern.length; index++) {
    const char = pattern[index]!;
    const escaped = char === '\\' ? pattern[++index] : undefined;
    if (escaped === undefined ? !LITERAL.test(char) : !ESCAPABLE.test(escaped)) return undefined;
    literal += escaped ?? char;
  }
  return literal;
}
