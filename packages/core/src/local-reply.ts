import type { ResponseFlags } from './response-flags.ts';

/** A response that the mesh makes itself. A value, never a throw; drivers turn it into HTTP or gRPC. */
export interface LocalReply {
  readonly status: number;
  readonly flags: ResponseFlags;
  /** Envoy's %RESPONSE_CODE_DETAILS%. */
  readonly details: string;
  readonly body: string;
  /** The body where it is no text (an authorizer's own, encoded). */
  readonly bytes?: Uint8Array | undefined;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Set when it differs from the HTTP status's mapping (dataplane §3.8). */
  readonly grpcStatus: number | undefined;
}

const NO_HEADERS: LocalReply['headers'] = [];

/** Makes a {@link LocalReply}; `status` and `details` are required, the rest defaults to nothing. */
export function localReply(reply: Partial<LocalReply> & Pick<LocalReply, 'status' | 'details'>): LocalReply {
  return {
    status: reply.status,
    flags: reply.flags ?? 0,
    details: reply.details,
    body: reply.body ?? '',
    ...(reply.bytes === undefined ? {} : { bytes: reply.bytes }),
    headers: reply.headers ?? NO_HEADERS,
    grpcStatus: reply.grpcStatus,
  };
}

/** Envoy's mapping of a local reply's HTTP status to a gRPC status. */
export function grpcStatusOfHttp(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}
