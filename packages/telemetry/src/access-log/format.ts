import { type AccessLogConfig, compileOperator, type JsonFormat, type LogEntry, type Operator } from '@ripstop/core';

export type { LogEntry } from '@ripstop/core';

/** A piece of a format: text as it stands, or an operator with the length to which its value is cut. */
type Piece = string | { readonly value: Operator; readonly maxLength: number };

/** Compiles an Envoy format string (`%START_TIME%`, `%REQ(NAME?OTHER):10%`, `%%`). What has no value prints `absent`. */
export function compileFormat(format: string, absent = '-'): (entry: LogEntry) => string {
  return joined(piecesOf(format), absent);
}

/** The line of an entry, with its newline. */
export function compileAccessLog({ format, omitEmpty }: Pick<AccessLogConfig, 'format' | 'omitEmpty'>): (entry: LogEntry) => string {
  if (format.kind === 'text') return compileFormat(format.text, omitEmpty ? '' : '-');
  const value = compileJson(format.fields, omitEmpty);
  return (entry) => `${JSON.stringify(value(entry) ?? {})}\n`;
}

/** Of an operator that Ripstop lacks: a line of a log does without it. */
const noValue: Operator = () => undefined;

function joined(pieces: readonly Piece[], absent: string): (entry: LogEntry) => string {
  return (entry) => {
    let line = '';
    for (const piece of pieces) line += typeof piece === 'string' ? piece : textOf(piece.value(entry), piece.maxLength, absent);
    return line;
  };
}

function textOf(value: unknown, maxLength: number, absent: string): string {
  if (isAbsent(value)) return absent;
  const text = typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.length > maxLength ? text.slice(0, maxLength) : text;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function piecesOf(format: string): Piece[] {
  const pieces: Piece[] = [];
  let last = 0;
  for (const match of format.matchAll(/%(?:([A-Z_0-9]+)(?:\(([^)]*)\))?(?::(\d+))?)?%/g)) {
    if (match.index > last) pieces.push(format.slice(last, match.index));
    const [whole, name, argument, maxLength] = match;
    pieces.push(
      name === undefined
        ? '%'
        : { value: compileOperator(name, argument) ?? noValue, maxLength: Number(maxLength ?? Number.POSITIVE_INFINITY) },
    );
    last = match.index + whole.length;
  }
  if (last < format.length) pieces.push(format.slice(last));
  return pieces;
}

/** Undefined = the field is left out. */
type JsonPart = (entry: LogEntry) => unknown;

/** As Envoy's JSON formatter (asked): keys are sorted, a lone operator keeps its type, without value it is null, fractions are strings. */
function compileJson(format: JsonFormat, omitEmpty: boolean): JsonPart {
  if (typeof format === 'string') return jsonText(format, omitEmpty);
  if (typeof format === 'number') return constant(Number.isInteger(format) ? format : String(format));
  if (typeof format !== 'object' || format === null) return constant(format);
  if (isList(format)) {
    const items = format.map((item) => compileJson(item, omitEmpty));
    return (entry) => items.map((item) => item(entry) ?? null);
  }
  const fields = Object.keys(format)
    .sort()
    .map((name) => [name, compileJson(format[name]!, omitEmpty)] as const);
  return (entry) => {
    const json: Record<string, unknown> = {};
    for (const [name, part] of fields) {
      const value = part(entry);
      if (value !== undefined) json[name] = value;
    }
    return omitEmpty && Object.keys(json).length === 0 ? undefined : json;
  };
}

function jsonText(format: string, omitEmpty: boolean): JsonPart {
  const pieces = piecesOf(format);
  const [only] = pieces;
  if (pieces.length !== 1 || only === undefined || typeof only === 'string') return joined(pieces, omitEmpty ? '' : '-');
  return (entry) => {
    const value = only.value(entry);
    if (isAbsent(value)) return omitEmpty ? undefined : null;
    return typeof value === 'string' ? textOf(value, only.maxLength, '') : value;
  };
}

function constant(value: unknown): JsonPart {
  return () => value;
}

function isList(format: JsonFormat & object): format is readonly JsonFormat[] {
  return Array.isArray(format);
}
