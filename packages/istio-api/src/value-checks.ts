import { formatPath, type Path } from './path.ts';
import type { NumberSchema, PlainSchema, Schema, TextSchema } from './schema/schema.ts';
import type { Report } from './validate.ts';

export type Scalar = TextSchema | NumberSchema | PlainSchema;

const TYPES: Readonly<Record<string, string>> = { list: 'array', map: 'object', bool: 'boolean', duration: 'string' };

/** What the API server calls the type of a field. */
export function apiType(schema: Schema): string {
  if (schema.type === 'number' && schema.integer === true) return 'integer';
  return TYPES[schema.type] ?? schema.type;
}

/** Whether a value of the right type is one that may stand there. */
export function checkScalar(value: string | number | boolean, schema: Scalar, path: Path, report: Report): boolean {
  if (schema.type === 'duration') return checkDuration(value as string, schema.short, path, report);
  if (schema.type === 'number') return checkNumber(value as number, schema, path, report);
  if (schema.type === 'string') return checkText(value as string, schema, path, report);
  return true;
}

function checkNumber(value: number, { min, max }: NumberSchema, path: Path, report: Report): boolean {
  const low = min !== undefined && value < min;
  const high = max !== undefined && value > max;
  // Neither is NaN (.nan) a number that can be compared.
  if (!low && !high && !Number.isNaN(value)) return true;
  const bound = low ? `greater than or equal to ${min}` : `less than or equal to ${max}`;
  const rule = low || high ? ` (${formatPath(path)} in body should be ${bound})` : '';
  report('RIPSTOP_OUT_OF_RANGE', 'error', path, `Invalid value: ${value} is out of range: give ${min ?? '…'} to ${max ?? 'any'}${rule}`);
  return false;
}

function checkText(value: string, schema: TextSchema, path: Path, report: Report): boolean {
  const { values, minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = schema;
  const bad = (message: string): false => {
    report('RIPSTOP_BAD_VALUE', 'error', path, message);
    return false;
  };
  const shown = formatValue(value);
  if (values !== undefined && !values.includes(value)) return bad(`Unsupported value: ${shown} is not one of ${values.join(', ')}`);
  if (value.length < minLength)
    return bad(
      `Invalid value: ${shown}: ${formatPath(path)} in body should be at least ${minLength} chars long: write it, or leave it out`,
    );
  if (value.length > maxLength) return bad(`Too long: ${shown} has ${value.length} characters: may not be more than ${maxLength}`);
  if (pattern?.test(value) === false) return bad(`Invalid value: ${shown}: ${formatPath(path)} in body should match '${pattern.source}'`);
  return true;
}

function checkDuration(value: string, short: PlainSchema['short'], path: Path, report: Report): boolean {
  const ms = parseDuration(short === 'any' ? value.replace(/^[-+]/, '') : value);
  if (ms !== undefined && (short === 'any' || (short === 'none' && ms < 1))) return true;
  // istiod's own rules: leave the field out to switch it off, and no less than milliseconds.
  const whole = ms !== undefined && (short === 'exact' || Math.abs(ms - Math.round(ms)) < 1e-6);
  if (ms !== undefined && ms >= 1 && whole) return true;
  const shown = formatValue(value);
  report(
    'RIPSTOP_BAD_DURATION',
    'error',
    path,
    ms === undefined
      ? `${shown} is no duration: must be a valid duration greater than 1ms: give for example 500ms, 2s or 1m30s`
      : ms >= 1
        ? `${shown} is too exact: give whole milliseconds`
        : `${shown} is too short: a duration must be at least 1ms (must be a valid duration greater than 1ms); leave the field out to disable it`,
  );
  return false;
}

/** The size of a list or a map. */
export function checkSize(
  size: number,
  { minItems = 0, maxItems = Number.POSITIVE_INFINITY }: { readonly minItems?: number; readonly maxItems?: number },
  what: 'items' | 'properties',
  path: Path,
  report: Report,
): boolean {
  if (size >= minItems && size <= maxItems) return true;
  const bound = size < minItems ? `at least ${minItems}` : `at most ${maxItems}`;
  report('RIPSTOP_BAD_VALUE', 'error', path, `Invalid value: it has ${size}: ${formatPath(path)} in body should have ${bound} ${what}`);
  return false;
}

/** A value as text, shortened. */
export function formatValue(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** Milliseconds of a Go duration (`1h2m3.5s`, `300ms`); undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(h|m|s|ms|us|µs|ns))+$/.test(text)) return undefined;
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000_001 };
  return [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)].reduce((sum, match) => sum + Number(match[1]) * units[match[2]!]!, 0);
}
