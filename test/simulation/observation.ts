import type { Call } from './row.ts';

/** One request as an upstream saw it. */
export interface SeenRequest {
  readonly workload: string;
  readonly method: string;
  readonly path: string;
  /** Lower-case name and value, one entry a line, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** What the caller got. */
export interface Reply {
  /** 0: the connection ended without a response. */
  readonly status: number;
  /** Lower-case names; several lines joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly tookMs: number;
}

/** All that happened for one row. */
export interface Observation {
  readonly replies: readonly Reply[];
  readonly requests: readonly SeenRequest[];
  /** Of the last call; see Caller. */
  readonly account?: string;
}

/** One side of the comparison: makes the calls of a table through an Envoy, or through the SDK. */
export interface Caller {
  call(call: Call): Promise<Reply>;
  /** Response flags and details that the access log has for the last call; where nobody can say, there is none. */
  account?(): Promise<string>;
}

/** Both sides in one mesh, fed by one control plane. */
export interface Pair {
  readonly envoy: Caller;
  readonly sdk: Caller;
}
