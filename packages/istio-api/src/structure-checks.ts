import { formatPath, type Path } from './path.ts';
import type { ListSchema, MapSchema, ObjectSchema, Schema } from './schema/schema.ts';
import type { Report } from './validate.ts';
import { apiType, checkScalar, checkSize, formatValue, type Scalar } from './value-checks.ts';

/**
 * What a schema says of a value: unknown and missing fields, types, values, the rules of Istio's CRDs, in the words of the Kubernetes API
 * server; and what this version does not honour. Answers whether the structure is right.
 */
export function checkStructure(value: unknown, schema: Schema, path: Path, report: Report): boolean {
  if (value === undefined || value === null) return true;
  if (schema.support === 'yes') return walk(value, schema, path, report);
  const refused = schema.support === 'refused';
  report(
    'RIPSTOP_UNSUPPORTED_FIELD',
    refused ? 'error' : 'warning',
    path,
    refused
      ? `this field is not supported, and leaving it out would change what the document means${schema.note === undefined ? ': remove it' : `: ${schema.note}`}`
      : `this field has no effect in this version${schema.note === undefined ? '' : `: ${schema.note}`}`,
  );
  // It must be right all the same; that nothing in it is honoured has been said.
  return walk(value, schema, path, (code, ...finding) => (code === 'RIPSTOP_UNSUPPORTED_FIELD' ? undefined : report(code, ...finding)));
}

function walk(value: unknown, schema: Schema, path: Path, report: Report): boolean {
  const right = walkParts(value, schema, path, report);
  const rules = (schema.rules ?? []).filter(({ ofPresence }) => right || (ofPresence === true && isObject(value)));
  for (const { message, at } of rules.filter(({ holds }) => !holds(value))) {
    const offending = typeof value === 'string' ? formatValue(value) : `"${typeOf(value)}"`;
    const not = typeof value === 'number' ? `, not ${value}` : '';
    report('RIPSTOP_BAD_VALUE', 'error', at === undefined ? path : [...path, at], `Invalid value: ${offending}: ${message}${not}`);
    return false;
  }
  return right;
}

function walkParts(value: unknown, schema: Schema, path: Path, report: Report): boolean {
  switch (schema.type) {
    case 'any':
      return schema.shape === undefined || isObject(value) || wrongType(path, 'object', 'an object', value, report);
    case 'list':
      return Array.isArray(value) ? walkList(value, schema, path, report) : wrongType(path, 'array', 'a list', value, report);
    case 'map':
      return isObject(value) ? walkMap(value, schema, path, report) : wrongType(path, 'object', 'a map', value, report);
    case 'object':
      return isObject(value) ? walkObject(value, schema, path, report) : wrongType(path, 'object', 'an object', value, report);
    default:
      return walkScalar(value, schema, path, report);
  }
}

function walkScalar(value: unknown, schema: Scalar, path: Path, report: Report): boolean {
  const type = typeof value;
  if (schema.type === 'bool') return type === 'boolean' || wrongType(path, 'boolean', 'true or false', value, report);
  if (schema.type === 'number') {
    if (type !== 'number') return wrongType(path, schema.integer === true ? 'integer' : 'number', 'a number', value, report);
    if (schema.integer === true && !Number.isInteger(value)) return wrongType(path, 'integer', 'a whole number', value, report);
  } else if (type !== 'string') return wrongType(path, 'string', 'text (put it in quotes)', value, report);
  return checkScalar(value as string | number, schema, path, report);
}

function walkList(value: readonly unknown[], schema: ListSchema, path: Path, report: Report): boolean {
  let right = checkSize(value.length, schema, 'items', path, report);
  const seen = new Set<unknown>();
  for (const [index, item] of value.entries()) {
    const at = [...path, index];
    if (item === null || item === undefined)
      right = wrongType(at, apiType(schema.items), 'something: an empty list item says nothing, write {} or remove it', null, report);
    else if (!checkStructure(item, schema.items, at, report)) right = false;
    else if (schema.key !== undefined) {
      const key = (item as Record<string, unknown>)[schema.key];
      if (seen.has(key)) {
        report('RIPSTOP_BAD_VALUE', 'error', at, `Duplicate value: ${schema.key} ${formatValue(key)} is given twice: name them apart`);
        right = false;
      }
      seen.add(key);
    }
  }
  return right;
}

function walkMap(value: Record<string, unknown>, schema: MapSchema, path: Path, report: Report): boolean {
  const entries = Object.entries(value);
  let right = checkSize(entries.length, schema, 'properties', path, report);
  for (const [key, item] of entries) if (!checkStructure(item ?? '', schema.items, [...path, key], report)) right = false;
  return right;
}

function walkObject(value: Record<string, unknown>, schema: ObjectSchema, path: Path, report: Report): boolean {
  let right = true;
  for (const [name, item] of Object.entries(value)) {
    const field = Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
    if (field !== undefined) right = checkStructure(item, field, [...path, name], report) && right;
    else if (schema.open !== true) {
      report('RIPSTOP_UNKNOWN_FIELD', 'error', [...path, name], `unknown field "${name}"${suggestion(name, Object.keys(schema.fields))}`);
      right = false;
    }
  }
  const given = (name: string): boolean => value[name] !== undefined && value[name] !== null;
  for (const name of schema.required) {
    if (given(name)) continue;
    report('RIPSTOP_MISSING_FIELD', 'error', [...path, name], `Required value: ${name} must be given`);
    right = false;
  }
  for (const group of schema.oneOf) {
    const present = group.filter((name) => given(name) && !isEmptyList(value[name]));
    if (present.length < 2) continue;
    report('RIPSTOP_ONE_OF', 'error', [...path, present[1]!], `give only one of ${present.join(', ')}`);
    right = false;
  }
  return right;
}

function wrongType(path: Path, type: string, wanted: string, value: unknown, report: Report): false {
  const is = `${formatPath(path)} in body must be of type ${type}: "${typeOf(value)}"`;
  report('RIPSTOP_WRONG_TYPE', 'error', path, `must be ${wanted}, not ${formatValue(value)} (${is})`);
  return false;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** `; did you mean "weight"?` for a name at most two edits away. */
export function suggestion(name: string, known: readonly string[]): string {
  if (known.length === 0) return ': everything stands under spec';
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(name.slice(0, 60).toLowerCase(), candidate.toLowerCase()) }))
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
