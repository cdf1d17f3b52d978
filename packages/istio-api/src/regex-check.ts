import { RE2JS } from 're2js';
import type { Path, Report } from './validate.ts';

/** Istio's own bound, which keeps what a pattern means to Envoy below its bound of program sizes. */
export const MAX_REGEX_LENGTH = 1024;

/** A pattern is RE2's, and short. Istio: `validateStringRegexp`; `maxLength` is another where a kind's schema has its own. */
export function checkRegex(pattern: string | undefined, path: Path, report: Report, maxLength: number = MAX_REGEX_LENGTH): void {
  if (pattern === undefined) return;
  const wrong = wrongRegex(pattern, maxLength);
  if (wrong !== undefined) report('RIPSTOP_BAD_REGEX', 'error', path, `${shortened(pattern)}: ${wrong}`);
}

function wrongRegex(pattern: string, maxLength: number): string | undefined {
  if (pattern === '') return 'a regular expression must not be empty';
  if (pattern.length > maxLength) return `a regular expression has at most ${maxLength} characters, this one ${pattern.length}`;
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    return `${reason} (the syntax is RE2's; RE2 has no look-ahead, look-behind or back references)`;
  }
}

function shortened(pattern: string): string {
  return JSON.stringify(pattern.length > 80 ? `${pattern.slice(0, 80)}…` : pattern);
}
