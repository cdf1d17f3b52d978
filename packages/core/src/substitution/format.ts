import type { AccessLogConfig, JsonFormat } from '../route/route.ts';
import { compileOperator, type LogEntry, type Operator } from './operators.ts';

/** A piece of a format: text as it stands, or an operator with the length to which its value is cut. */
type Piece = string | { readonly value: Operator; readonly maxLength: number; readonly keepsEmpty: boolean };

/** Of these nothing is a value, too. */
const KEEPS_EMPTY: ReadonlySet<string> = new Set(['LOCAL_REPLY_BODY']);

/** The operator of a name; throws where one that is not there must not be left out. */
export type FindOperator = (name: string, argument: string | undefined) => Operator;

/** Compiles an Envoy format string (`%START_TIME%`, `%REQ(NAME?OTHER):10%`, `%%`). What has no value prints `absent`. */
export function compileFormat(format: string, absent = '-', find: FindOperator = orNothing): (entry: LogEntry) => string {
  return joined(piecesOf(format, find), absent);
}

/** The text of an entry; of JSON a line with its newline. */
export function compileAccessLog(
  { format, omitEmpty }: Pick<AccessLogConfig, 'format' | 'omitEmpty'>,
  find: FindOperator = orNothing,
): (entry: LogEntry) => string {
  if (format.kind === 'text') return compileFormat(format.text, omitEmpty ? '' : '-', find);
  const value = compileJson(format.fields, omitEmpty, find);
  return (entry) => `${JSON.stringify(value(entry) ?? {})}\n`;
}

const noValue: Operator = () => undefined;

/** A line of a log does without what Ripstop lacks. */
function orNothing(name: string, argument: string | undefined): Operator {
  return compileOperator(name, argument) ?? noValue;
}

function joined(pieces: readonly Piece[], absent: string): (entry: LogEntry) => string {
  return (entry) => {
    let line = '';
    for (const piece of pieces) line += typeof piece === 'string' ? piece : textOf(piece, piece.value(entry), absent);
    return line;
  };
}

function textOf({ maxLength, keepsEmpty }: Exclude<Piece, string>, value: unknown, absent: string): string {
  if (isAbsent(value, keepsEmpty)) return absent;
  const text = typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.length > maxLength ? text.slice(0, maxLength) : text;
}

function isAbsent(value: unknown, keepsEmpty: boolean): boolean {
  return value === undefined || value === null || (value === '' && !keepsEmpty);
}

function piecesOf(format: string, find: FindOperator): Piece[] {
  const pieces: Piece[] = [];
  let last = 0;
  for (const match of format.matchAll(/%(?:([A-Z_0-9]+)(?:\(([^)]*)\))?(?::(\d+))?)?%/g)) {
    if (match.index > last) pieces.push(format.slice(last, match.index));
    const [whole, name, argument, maxLength] = match;
    pieces.push(
      name === undefined
        ? '%'
        : { value: find(name, argument), keepsEmpty: KEEPS_EMPTY.has(name), maxLength: Number(maxLength ?? Number.POSITIVE_INFINITY) },
    );
    last = match.index + whole.length;
  }
  if (last < format.length) pieces.push(format.slice(last));
  return pieces;
}

/** Undefined = the field is left out. */
type JsonPart = (entry: LogEntry) => unknown;

/** As Envoy's JSON formatter (asked): keys are sorted, a lone operator keeps its type, without value it is null, fractions are strings. */
function compileJson(format: JsonFormat, omitEmpty: boolean, find: FindOperator): JsonPart {
  if (typeof format === 'string') return jsonText(format, omitEmpty, find);
  if (typeof format === 'number') return constant(Number.isInteger(format) ? format : String(format));
  if (typeof format !== 'object' || format === null) return constant(format);
  if (isList(format)) {
    const items = format.map((item) => compileJson(item, omitEmpty, find));
    return (entry) => items.map((item) => item(entry) ?? null);
  }
  const fields = Object.keys(format)
    .sort()
    .map((name) => [name, compileJson(format[name]!, omitEmpty, find)] as const);
  return (entry) => {
    const json: Record<string, unknown> = {};
    for (const [name, part] of fields) {
      const value = part(entry);
      if (value !== undefined) json[name] = value;
    }
    return omitEmpty && Object.keys(json).length === 0 ? undefined : json;
  };
}

function jsonText(format: string, omitEmpty: boolean, find: FindOperator): JsonPart {
  const pieces = piecesOf(format, find);
  const [only] = pieces;
  if (pieces.length !== 1 || only === undefined || typeof only === 'string') return joined(pieces, omitEmpty ? '' : '-');
  return (entry) => {
    const value = only.value(entry);
    if (isAbsent(value, only.keepsEmpty)) return omitEmpty ? undefined : null;
    return typeof value === 'string' ? textOf(only, value, '') : value;
  };
}

function constant(value: unknown): JsonPart {
  return () => value;
}

function isList(format: JsonFormat & object): format is readonly JsonFormat[] {
  return Array.isArray(format);
}
