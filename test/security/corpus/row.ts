/** What an attack comes to. */
export type Expected =
  /** The policy's 403; the app never sees the request. */
  | 'D'
  /** A refusal of the mesh with this status; the app never sees the request. */
  | number
  /** The app serves it, and sees this of it. */
  | {
      readonly path?: string;
      readonly host?: string;
      readonly headers?: Readonly<Record<string, string | undefined>>;
      readonly status?: number;
    };

export type Mode = 'BASE' | 'DECODE_AND_MERGE_SLASHES';

/** A row of the attack corpus: raw bytes on a fresh connection, and the verdict. */
export interface Row {
  /** Of reference/security-and-faults.md. */
  readonly id: string;
  readonly name: string;
  readonly bytes: string;
  readonly expected: Expected;
  /** Default: both. */
  readonly mode?: Mode;
  /** Verdicts over mTLS where they differ. */
  readonly mutual?: Expected;
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
