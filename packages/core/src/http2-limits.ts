/** What an HTTP connection manager lets callers do on an HTTP/2 connection. */
export interface Http2Limits {
  readonly maxConcurrentStreams: number | undefined;
  /** Bytes of one body that are sent before they are read; undefined = as the server has it. */
  readonly streamWindowBytes: number | undefined;
  /** And of all bodies together. */
  readonly connectionWindowBytes: number | undefined;
}

/** What a server of node:http2 says of itself, as far as a connection manager has a say in it. */
export interface Http2Settings {
  readonly maxConcurrentStreams: number;
  readonly initialWindowSize: number;
}

/** Envoy's default. */
const MAX_CONCURRENT_STREAMS = 1_024;
/** RFC 9113's, and so node:http2's. */
const WINDOW_BYTES = 65_535;

/**
 * What callers are told: of the server's own numbers (undefined = its app has named none) and those of the mesh the smaller ones, as both
 * hold where an Envoy stands in front of an app.
 */
export function http2Settings(
  own: { readonly maxConcurrentStreams?: number | undefined; readonly initialWindowSize?: number | undefined } | undefined,
  limits: Http2Limits | undefined,
): Http2Settings {
  return {
    maxConcurrentStreams: smaller(own?.maxConcurrentStreams, limits?.maxConcurrentStreams) ?? MAX_CONCURRENT_STREAMS,
    initialWindowSize: smaller(own?.initialWindowSize, limits?.streamWindowBytes) ?? WINDOW_BYTES,
  };
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}
