import type { Path, Report } from './validate.ts';

/** RE2 knows neither look-around nor back references. */
export function checkRegex(pattern: string | undefined, path: Path, report: Report): void {
  if (pattern === undefined) return;
  if (/\(\?[=!<]/.test(pattern.replace(/\(\?<[A-Za-z]/g, '')) || /\\[1-9]/.test(pattern)) {
    report('RIPSTOP_BAD_REGEX', 'error', path, `${JSON.stringify(pattern)}: RE2 has no look-ahead, look-behind or back references`);
  }
}
