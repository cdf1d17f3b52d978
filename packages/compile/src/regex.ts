import type { Regex } from '@ripstop/core';
import { RE2JS } from 're2js';

/** `re2.max_program_size.error_level` of every bootstrap that Istio writes. A program is never smaller than its pattern is long. */
const MAX_PROGRAM_SIZE = 32_768;
/**
 * Time is linear in the text, times the size of the program where no automaton of few states will do: some 20 ns for each product. What
 * takes longer than that belongs to an attack on the event loop, which all requests share.
 */
const MAX_STEPS = 2 ** 21;

/**
 * A pattern with RE2 semantics. Patterns that are a literal, `literal.*`, `.*literal`, `.+` or an alternation of literals become string
 * operations; everything else runs on re2js, in linear time. V8's engine, which backtracks, never sees a configured pattern. Throws on a
 * pattern that is not RE2's or too large; matching throws for a text that is too long for the pattern, and that request is refused.
 */
export function compileRegex(pattern: string): Regex {
  if (pattern === '') throw new Error('an empty regular expression');
  const compiled = compileRe2(pattern);
  const steps = compiled.programSize();
  const bounded = (text: string): string => {
    if (text.length * steps <= MAX_STEPS) return text;
    throw new Error(`${shown(pattern)} has a program of ${steps} instructions: a text of ${text.length} characters is too long for it`);
  };
  const prefix = literalPrefix(pattern);
  return {
    fullMatch: lower(pattern) ?? ((text) => text.startsWith(prefix) && compiled.matches(bounded(text))),
    replaceAll: (text, substitution) => replaceAll(compiled, bounded(text), substitution),
  };
}

/** Throws on a pattern that is not RE2's, or whose program is larger than Envoy takes from Istio. */
export function compileRe2(pattern: string): RE2JS {
  const refuse = (reason: string): never => {
    throw new Error(`${shown(pattern)}: ${reason}`);
  };
  const tooLarge = (size: number): never => refuse(`a program of ${size} instructions; at most ${MAX_PROGRAM_SIZE} are taken`);
  if (pattern.length > MAX_PROGRAM_SIZE) tooLarge(pattern.length);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error} (RE2 syntax)`);
  }
  return compiled.programSize() > MAX_PROGRAM_SIZE ? tooLarge(compiled.programSize()) : compiled;
}

function shown(pattern: string): string {
  return `regular expression ${JSON.stringify(pattern.length > 80 ? `${pattern.slice(0, 80)}…` : pattern)}`;
}

/** Throws when a substitution has a backslash before what is neither a digit nor a backslash. */
export function checkSubstitution(pattern: string, substitution: string): void {
  for (const [whole, after = ''] of substitution.matchAll(/\\(.?)/gs)) {
    if (!/^[\d\\]$/.test(after))
      throw new Error(`${shown(pattern)}: ${JSON.stringify(whole)} is no group (\\0 to \\9, \\\\ for a backslash)`);
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

/** What every text that the pattern takes begins with; most texts are not its own, and need no engine to say so. */
function literalPrefix(pattern: string): string {
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
