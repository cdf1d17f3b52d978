import type { Regex } from '@ripstop/core';
import { RE2JS } from 're2js';

/**
 * A pattern with RE2 semantics. Patterns that are a literal, `literal.*`, `.*literal`, `.+` or an alternation of literals become string
 * operations; everything else runs on re2js, in linear time. V8's engine, which backtracks, never sees a configured pattern.
 */
export function compileRegex(pattern: string): Regex {
  if (pattern === '') throw new Error('an empty regular expression');
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    throw new Error(`regular expression ${JSON.stringify(pattern)}: ${error instanceof Error ? error.message : error} (RE2 syntax)`);
  }
  const fast = lower(pattern);
  return {
    fullMatch: fast ?? ((text) => compiled.matches(text)),
    replaceAll: (text, substitution) => replaceAll(compiled, text, substitution),
  };
}

/** Throws when a substitution has a backslash before what is neither a digit nor a backslash. */
export function checkSubstitution(pattern: string, substitution: string): void {
  for (const [whole, after = ''] of substitution.matchAll(/\\(.?)/gs)) {
    if (!/^[\d\\]$/.test(after))
      throw new Error(
        `regular expression ${JSON.stringify(pattern)}: ${JSON.stringify(whole)} is no group (\\0 to \\9, \\\\ for a backslash)`,
      );
  }
}

/** RE2's GlobalReplace: no empty match right behind the match before it; `\0` to `\9` are groups, `\\` is a backslash. */
function replaceAll(pattern: RE2JS, text: string, substitution: string): string {
  // RE2's GlobalReplace replaces nothing then.
  for (const [, group] of substitution.matchAll(/\\(\d|\\)/g)) if (Number(group) > pattern.groupCount()) return text;
  const matcher = pattern.matcher(text);
  let replaced = '';
  let last = 0;
  let matched = false;
  while (matcher.find()) {
    const [start, end] = [matcher.start(), matcher.end()];
    if (matched && start === end && start === last) continue;
    const by = substitution.replace(/\\(\d|\\)/g, (_whole, group: string) =>
      group === '\\' ? '\\' : (matcher.group(Number(group)) ?? ''),
    );
    replaced += text.slice(last, start) + by;
    last = end;
    matched = true;
  }
  return replaced + text.slice(last);
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
