import { type Finding, MESSAGE_TYPES, type Severity } from '@ripstop/istio-api';

/** How findings are printed. */
export type FindingsFormat = 'table' | 'log' | 'json' | 'yaml';

/** Exit codes of `istioctl analyze`: some file could not be read as objects; something was found. */
export const EXIT_UNREADABLE = 65;
const EXIT_FOUND = 79;

const RANK: Readonly<Record<Severity, number>> = { error: 3, warning: 2, info: 1 };

/** True when a finding is as bad as the threshold or worse. */
export function reaches({ severity }: Finding, threshold: Severity): boolean {
  return RANK[severity] >= RANK[threshold];
}

/** 0, 79 when a finding reaches the threshold, 65 when only unreadable text does. */
export function exitCodeOf(findings: readonly Finding[], threshold: Severity): number {
  const bad = findings.filter((finding) => reaches(finding, threshold));
  if (bad.some(({ code }) => code !== 'RIPSTOP_YAML')) return EXIT_FOUND;
  return bad.length > 0 ? EXIT_UNREADABLE : 0;
}

/** Findings as text, the worst first, without a newline at the end. */
export function renderFindings(findings: readonly Finding[], format: FindingsFormat): string {
  const ordered = [...findings].sort((a, b) => RANK[b.severity] - RANK[a.severity]);
  if (format === 'json') return JSON.stringify(ordered.map(record), undefined, 2);
  if (format === 'yaml') return ordered.length === 0 ? '[]' : ordered.map((finding) => yamlItem(record(finding))).join('\n');
  if (format === 'log') return ordered.map(logLine).join('\n');
  return table(ordered);
}

/** `Error [IST0101] (VirtualService default/reviews reviews.yaml:9) …`. */
function logLine({ code, severity, object, position, path, message }: Finding): string {
  const where = [object, `${position.file}:${position.line}`].filter((part) => part !== '').join(' ');
  const text = [path, message].filter((part) => part !== '').join(': ');
  return `${levelOf(severity)} [${code}] (${where}) ${text.replace(/\s*\n\s*/g, ' ')}`;
}

function levelOf(severity: Severity): string {
  return severity.charAt(0).toUpperCase() + severity.slice(1);
}

const NAMES: ReadonlyMap<string, string> = new Map(MESSAGE_TYPES.flatMap(({ code, name }) => (name === '' ? [] : [[code, name] as const])));

/** Field names and form of istioctl's output; `name`, `column` and `path` are additions. */
function record({ code, severity, object, position, path, message }: Finding): Record<string, string | number> {
  return {
    code,
    ...(NAMES.has(code) ? { name: NAMES.get(code)! } : {}),
    ...(code.startsWith('IST')
      ? { documentationUrl: `https://istio.io/latest/docs/reference/config/analysis/${code.toLowerCase()}/` }
      : {}),
    level: levelOf(severity),
    message,
    origin: object,
    reference: `${position.file}:${position.line}`,
    column: position.column,
    path,
  };
}

/** JSON strings and numbers are YAML scalars. */
function yamlItem(fields: Readonly<Record<string, string | number>>): string {
  return Object.entries(fields)
    .map(([name, value], index) => `${index === 0 ? '-' : ' '} ${name}: ${JSON.stringify(value)}`)
    .join('\n');
}

function table(findings: readonly Finding[]): string {
  const rows = findings.map(({ severity, code, position, object, path, message }) => [
    severity,
    code,
    `${position.file}:${position.line}:${position.column}`,
    object,
    [path, message]
      .filter((part) => part !== '')
      .join(': ')
      .replace(/\s*\n\s*/g, ' '),
  ]);
  if (rows.length === 0) return '';
  const all = [['LEVEL', 'CODE', 'WHERE', 'OBJECT', 'MESSAGE'], ...rows];
  const widths = all[0]!.map((_heading, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) => row.map((cell, column) => (column === 4 ? cell : cell.padEnd(widths[column]!))).join('  ')).join('\n');
}
