import type { Finding, MeshObject, Severity } from './object.ts';
import type { Kind } from './schema/kind.ts';
import { closesWorkloads, kindOf } from './schema/kinds.ts';
import type { Schema } from './schema/schema.ts';
import { semanticChecks } from './semantic-checks.ts';

export type Path = readonly (string | number)[];
export type Report = (code: string, severity: Severity, path: Path, message: string) => void;

/** `VirtualService default/reviews`. */
export function objectKey(object: MeshObject): string {
  const { namespace, name } = object.metadata;
  return `${object.kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
}

/** `spec.http[0].route`. */
export function formatPath(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** Everything wrong with one object by itself. An error means that it is not used; the last good version of it stays. */
export function validateObject(object: MeshObject): Finding[] {
  const findings: Finding[] = [];
  const report: Report = (code, severity, path, message) => {
    findings.push({ code, severity, object: objectKey(object), position: object.locate(path), path: formatPath(path), message });
  };
  const kind = kindOf(object.apiVersion, object.kind);
  if (kind === undefined) return findings;
  if (kind.status === 'refused') {
    reportRefusal(object, kind, report);
    return findings;
  }
  if (kind.status === 'ignored') {
    report('RIPSTOP_UNSUPPORTED_KIND', 'warning', [], `${object.kind} has no effect in this version${because(kind.note)}`);
  }
  const { status: _status, ...rest } = object.rest;
  if (kind.rest !== undefined) walk(rest, kind.rest, [], report);
  // Of a kind without effect one warning is enough; what leaving a field out would make unsafe is an error all the same.
  const reportField: Report =
    kind.status === 'used'
      ? report
      : (code, severity, ...where) =>
          code === 'RIPSTOP_UNSUPPORTED_FIELD' && severity === 'warning' ? undefined : report(code, severity, ...where);
  if (kind.spec !== undefined) walk(object.spec, kind.spec, ['spec'], reportField);
  if (!findings.some(({ severity }) => severity === 'error')) semanticChecks(object, report);
  return findings;
}

function reportRefusal(object: MeshObject, kind: Kind, report: Report): void {
  const effect = closesWorkloads(object)
    ? '; workloads that it selects refuse every request rather than run without it'
    : ' and has no effect';
  report('RIPSTOP_UNSUPPORTED_KIND', 'error', [], `${object.kind} is not honoured by this version${effect}${because(kind.note)}`);
}

function because(note: string | undefined): string {
  return note === undefined ? '' : `: ${note}`;
}

function walk(value: unknown, schema: Schema, path: Path, report: Report): void {
  if (value === undefined || value === null) return;
  if (schema.support !== 'yes') {
    const refused = schema.support === 'refused';
    report(
      'RIPSTOP_UNSUPPORTED_FIELD',
      refused ? 'error' : 'warning',
      path,
      refused
        ? `this field is not supported, and leaving it out would change what the document means${schema.note === undefined ? ': remove it' : because(schema.note)}`
        : `this field has no effect in this version${because(schema.note)}`,
    );
    return;
  }
  switch (schema.type) {
    case 'any':
      return;
    case 'list':
      if (!Array.isArray(value)) {
        wrongType(path, 'a list', value, report);
        return;
      }
      for (const [index, item] of value.entries()) {
        if (item === null)
          report('RIPSTOP_WRONG_TYPE', 'error', [...path, index], 'an empty list item says nothing: write {} or remove it');
        else walk(item, schema.items, [...path, index], report);
      }
      return;
    case 'map':
      if (!isObject(value)) {
        wrongType(path, 'a map', value, report);
        return;
      }
      for (const [key, item] of Object.entries(value)) walk(item ?? '', schema.items, [...path, key], report);
      return;
    case 'object':
      if (!isObject(value)) {
        wrongType(path, 'an object', value, report);
        return;
      }
      walkObject(value, schema, path, report);
      return;
    default:
      walkScalar(value, schema, path, report);
  }
}

function walkObject(value: Record<string, unknown>, schema: Extract<Schema, { type: 'object' }>, path: Path, report: Report): void {
  for (const [name, item] of Object.entries(value)) {
    const field = Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
    if (field !== undefined) walk(item, field, [...path, name], report);
    else if (schema.open !== true)
      report('RIPSTOP_UNKNOWN_FIELD', 'error', [...path, name], `unknown field "${name}"${suggestion(name, Object.keys(schema.fields))}`);
  }
  for (const name of schema.required) {
    if (value[name] === undefined || value[name] === null) report('RIPSTOP_MISSING_FIELD', 'error', path, `${name} must be given`);
  }
  for (const group of schema.oneOf) {
    const given = group.filter((name) => value[name] !== undefined && value[name] !== null);
    if (given.length > 1) report('RIPSTOP_ONE_OF', 'error', [...path, given[1]!], `give only one of ${given.join(', ')}`);
  }
}

function walkScalar(
  value: unknown,
  schema: Extract<Schema, { type: 'string' | 'bool' | 'number' | 'duration' | 'any' }>,
  path: Path,
  report: Report,
): void {
  switch (schema.type) {
    case 'bool':
      if (typeof value !== 'boolean') wrongType(path, 'true or false', value, report);
      return;
    case 'number':
      if (typeof value !== 'number') {
        wrongType(path, 'a number', value, report);
        return;
      }
      if ((schema.min !== undefined && value < schema.min) || (schema.max !== undefined && value > schema.max)) {
        report('RIPSTOP_OUT_OF_RANGE', 'error', path, `${value} is out of range: give ${schema.min ?? '…'} to ${schema.max ?? 'any'}`);
      }
      return;
    case 'duration': {
      const ms = typeof value === 'string' ? parseDuration(value) : undefined;
      if (ms === undefined)
        report('RIPSTOP_BAD_DURATION', 'error', path, `${JSON.stringify(value)} is no duration: give for example 500ms, 2s or 1m30s`);
      // istiod's own rule: leave the field out to switch it off.
      else if (ms < 1)
        report(
          'RIPSTOP_BAD_DURATION',
          'error',
          path,
          `${JSON.stringify(value)} is too short: a duration must be at least 1ms; leave the field out to disable it`,
        );
      return;
    }
    case 'string':
      if (typeof value !== 'string') {
        wrongType(path, 'text (put it in quotes)', value, report);
        return;
      }
      if (schema.values !== undefined && !schema.values.includes(value))
        report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(value)} is not one of ${schema.values.join(', ')}`);
  }
}

/** Milliseconds of a Go duration (`1h2m3.5s`, `300ms`); undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(h|m|s|ms|us|µs|ns))+$/.test(text)) return text === '0' ? 0 : undefined;
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000_001 };
  return [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)].reduce((sum, match) => sum + Number(match[1]) * units[match[2]!]!, 0);
}

function wrongType(path: Path, wanted: string, value: unknown, report: Report): void {
  report('RIPSTOP_WRONG_TYPE', 'error', path, `must be ${wanted}, not ${JSON.stringify(value)?.slice(0, 60)}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `; did you mean "weight"?` for a name at most two edits away. */
function suggestion(name: string, known: readonly string[]): string {
  if (known.length === 0) return ': everything stands under spec';
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (near !== undefined && near.distance <= Math.max(2, name.length / 4)) return `; did you mean "${near.candidate}"?`;
  return `: known here are ${known.slice(0, 12).join(', ')}${known.length > 12 ? ', …' : ''}`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_unused, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
