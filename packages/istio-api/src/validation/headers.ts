import type { HeaderOperations, Headers } from '../types/networking.ts';
import type { Path, Report } from '../validate.ts';

/** Names that a request may be matched by (Istio: validHeaderNameRegex, pseudoHeaders). */
const NAME = /^[!#$%&'*+-.^_`|~A-Za-z0-9]+$/;
const PSEUDO: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path', ':status']);

export function isHeaderName(name: string): boolean {
  return NAME.test(name);
}

export function isMatchedHeader(name: string): boolean {
  return PSEUDO.has(name) || NAME.test(name);
}

/** Another name for the host that is called. */
export function isAuthority(name: string): boolean {
  return /^(:authority|host)$/i.test(name);
}

/** What is set, added and removed. Only the host of a request can be set. */
export function checkHeaders(headers: Headers | undefined, path: Path, report: Report): void {
  checkOperations(headers?.request, true, [...path, 'request'], report);
  checkOperations(headers?.response, false, [...path, 'response'], report);
}

function checkOperations(operations: HeaderOperations | undefined, request: boolean, path: Path, report: Report): void {
  for (const field of ['set', 'add'] as const) {
    for (const [name, value] of Object.entries(operations?.[field] ?? {})) {
      checkName(name, request, [...path, field, name], report);
      checkValue(value, [...path, field, name], report);
    }
  }
  for (const [index, name] of (operations?.remove ?? []).entries()) checkName(name, false, [...path, 'remove', index], report);
}

function checkName(name: string, mayBeHost: boolean, path: Path, report: Report): void {
  const bad = (message: string): void => report('RIPSTOP_BAD_VALUE', 'error', path, message);
  if (name === '') bad('the name of a header must not be empty');
  else if (mayBeHost && isAuthority(name)) return;
  else if (/^host$/i.test(name)) bad(`header ${JSON.stringify(name)} can only be set on a request: use rewrite.authority`);
  else if (name.startsWith(':')) bad(`header ${JSON.stringify(name)} cannot be changed: no name may begin with ":"`);
}

function checkValue(value: string, path: Path, report: Report): void {
  const problem = valueProblem(value);
  if (problem !== undefined) report('RIPSTOP_BAD_VALUE', 'error', path, `${JSON.stringify(value)}: ${problem}`);
}

/** One Envoy operator, with arguments in brackets: `%REQ(x-user)%`, `%DYNAMIC_METADATA(["a", "b"])%`. */
const OPERATOR = /^%[^%(]*(?:\( *(?:\[ *"(?:\\.|[^\\"])*"(?: *, *"(?:\\.|[^\\"])*")* *\] *|(?:\\.|[^\\)])*)\) *)?%/;

/** As Envoy reads it: `%` begins an operator, `%%` is a per cent sign. */
function valueProblem(value: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) return 'control characters cannot stand in a header';
  for (let at = value.indexOf('%'); at >= 0; at = value.indexOf('%', at)) {
    if (value[at + 1] === '%') at += 2;
    else {
      const operator = OPERATOR.exec(value.slice(at));
      if (operator === null) return 'a "%" begins an operator that does not end: write %% for a per cent sign';
      at += operator[0].length;
    }
  }
  return undefined;
}
