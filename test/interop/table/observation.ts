import type { SeenRequest } from '../mesh/upstream.ts';

/** What the caller got. */
export interface Reply {
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
}

/** A member of a mesh that makes calls: a runner. */
export interface MeshClient extends AsyncDisposable {
  readonly name: string;
  call(call: import('./row.ts').Call): Promise<Reply>;
}
