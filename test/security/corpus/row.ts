/** What an attack comes to. */
export type Expected =
  /** The policy's 403; the app never sees the request. */
  | 'D'
  /** A refusal of the mesh with this status; the app never sees the request. */
  | number
  /** HTTP/2: the stream or its connection ends without a response. */
  | 'reset'
  /** HTTP/2: a request whose body is not what its head said ends without a response; the app may have seen the head. */
  | 'broken'
  /** HTTP/1: the same; nothing behind the fault is read as a request. */
  | 'cut'
  /** The app serves it, and sees this of it. */
  | {
      readonly path?: string;
      readonly host?: string;
      readonly headers?: Readonly<Record<string, string | RegExp | undefined>>;
      readonly status?: number;
    };

export type Mode = 'BASE' | 'DECODE_AND_MERGE_SLASHES';

/** Header fields in the order in which they are sent, pseudo headers included. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** A row of the attack corpus: a request on a fresh connection, and the verdict. */
export interface Row {
  /** Of reference/security-and-faults.md. */
  readonly id: string;
  readonly name: string;
  /** As HTTP/1; absent: there is no such thing there. */
  readonly bytes?: string;
  /** As HTTP/2; absent: there is no such thing there. */
  readonly fields?: Fields;
  readonly body?: string;
  readonly expected: Expected;
  /** As HTTP/1: what comes behind the response is waited for as well, so that a hidden request would be seen. */
  readonly toItsEnd?: boolean;
  /** Of the HTTP/2 form where it differs. */
  readonly stream?: Expected;
  /** Default: both. */
  readonly mode?: Mode;
  /** Verdicts over mTLS where they differ. */
  readonly mutual?: Expected;
  /** For apps whose router takes the path for `/admin`: decision D1. */
  readonly bound?: { readonly express?: Expected; readonly lenient?: Expected; readonly fastify?: Expected };
}

const CRLF = '\r\n';

/** A request head of lines, and what follows it. */
export function head(line: string, headers: readonly string[] = ['Host: a'], body = ''): string {
  return [line, ...headers, '', body].join(CRLF);
}

/** `GET target`, Host a, and more headers. */
export function get(target: string, ...headers: string[]): string {
  return head(`GET ${target} HTTP/1.1`, ['Host: a', ...headers]);
}

/** `GET target` of authority a, and more fields; what `more` names as pseudo header replaces it. */
export function fields(target: string, ...more: (readonly [string, string])[]): Fields {
  const pseudo = new Map([
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'a'],
    [':path', target],
    ...more.filter(([name]) => name.startsWith(':')),
  ]);
  return [...pseudo, ...more.filter(([name]) => !name.startsWith(':'))];
}

/** `name: value` lines as fields; undefined where HTTP/2 has no such line. */
export function fieldsOf(target: string, lines: readonly string[]): Fields {
  return fields(
    target,
    ...lines.map((line) => {
      const at = line.indexOf(':', 1);
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const;
    }),
  );
}
