import { checkRegex } from '../regex-check.ts';
import type { StringMatch } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';

/** A text to match by (Istio: validateStringMatch): an empty prefix or expression would match all. */
export function checkStringMatch(match: StringMatch | undefined, path: Path, report: Report): void {
  if (match?.prefix === '')
    report('RIPSTOP_BAD_VALUE', 'error', [...path, 'prefix'], 'an empty prefix matches everything: leave the condition out');
  checkRegexMatch(match, path, report);
}

/** A path may have an empty prefix. */
export function checkRegexMatch(match: StringMatch | undefined, path: Path, report: Report): void {
  if (match?.regex === '')
    report('RIPSTOP_BAD_VALUE', 'error', [...path, 'regex'], 'an empty expression matches only an empty text: give one');
  else checkRegex(match?.regex, [...path, 'regex'], report);
}
