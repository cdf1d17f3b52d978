import type { Regex } from '@ripstop/core';
import { RE2JS } from 're2js';
import { literalPrefix, stringTest } from './regex-shortcut.ts';

/** `re2.max_program_size.error_level` of every bootstrap that Istio writes. A pattern that is longer is not even compiled. */
const MAX_PROGRAM_SIZE = 32_768;
/**
 * Time is linear in the text, times the size of the program where no automaton of few states will do: some 20 ns for each product. What
 * takes longer than that belongs to an attack on the event loop, which all requests share.
 */
const MAX_STEPS = 2 ** 21;

/**
 * A pattern with RE2 semantics: a string operation where that says the same, otherwise run on re2js, in linear time. V8's engine, which
 * backtracks, never sees a configured pattern. Throws on a pattern that is not RE2's or too large; matching throws for a text that is too
 * long for the pattern, and that request is refused.
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
    fullMatch: stringTest(pattern) ?? ((text) => text.startsWith(prefix) && compiled.matches(bounded(text))),
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
    return refuse(`${(error as Error).message} (RE2 syntax)`);
  }
  return compiled.programSize() > MAX_PROGRAM_SIZE ? tooLarge(compiled.programSize()) : compiled;
}

function shown(pattern: string): string {
  return `regular expression ${JSON.stringify(pattern.length > 80 ? `${pattern.slice(0, 80)}…` : pattern)}`;
}

/** Throws when a substitution has a backslash before what is neither a digit nor a backslash. */
export function checkSubstitution(pattern: string, substitution: string): void {
  for (const [whole, after] of substitution.matchAll(/\\(.?)/gs)) {
    if (!/[\d\\]/.test(after!))
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
