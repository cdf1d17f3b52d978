import type { Regex } from '@ripstop/core';
import { RE2JS } from 're2js';

/**
 * A pattern with RE2 semantics. Patterns that are a literal, `literal.*`, `.*literal`, `.+` or an alternation of literals become string
 * operations; everything else runs on re2js, in linear time. V8's engine, which backtracks, never sees a configured pattern.
 */
export function compileRegex(pattern: string): Regex {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    throw new Error(`regular expression ${JSON.stringify(pattern)}: ${error instanceof Error ? error.message : error} (RE2 syntax)`);
  }
  const fast = lower(pattern);
  return {
    fullMatch: fast ?? ((text) => compiled.matches(text)),
    // Envoy writes groups as \1, re2js as $1; a literal $ must not become a group.
    replaceAll: (text, substitution) => compiled.matcher(text).replaceAll(substitution.replaceAll('$', '\\$').replace(/\\(\d)/g, '$$$1')),
  };
}

/** No metacharacters of RE2. */
const LITERAL = /^[A-Za-z0-9 _~!@#%&=:;"'<>,/-]$/;
/** Characters that a backslash makes literal; before a letter or digit it means something else. */
const ESCAPABLE = /^[.+*?()|[\]{}^$/-]$/;

function lower(pattern: string): ((text: string) => boolean) | undefined {
  const plain = (text: string): string | undefined => {
    let literal = '';
    for (let index = 0; index < text.length; index++) {
      const char = text[index]!;
      const escaped = char === '\\' ? text[++index] : undefined;
      if (escaped !== undefined ? !ESCAPABLE.test(escaped) : !LITERAL.test(char)) return undefined;
      literal += escaped ?? char;
    }
    return literal;
  };
  const whole = plain(pattern);
  if (whole !== undefined) return (text) => text === whole;
  // `.` does not match a newline in RE2, and header values or paths hold none.
  if (pattern === '.*') return () => true;
  if (pattern === '.+') return (text) => text !== '';
  if (pattern.endsWith('.*') && !pattern.endsWith('\\.*')) {
    const prefix = plain(pattern.slice(0, -2));
    if (prefix !== undefined) return (text) => text.startsWith(prefix);
  }
  if (pattern.startsWith('.*')) {
    const suffix = plain(pattern.slice(2));
    if (suffix !== undefined) return (text) => text.endsWith(suffix);
    const middle = pattern.endsWith('.*') && !pattern.endsWith('\\.*') ? plain(pattern.slice(2, -2)) : undefined;
    if (middle !== undefined) return (text) => text.includes(middle);
  }
  return undefined;
}
