/** `connectionSettings` of a ProxyConfig: limits of the connections to a proxy and of what they carry. Durations in Go's form. */
export interface ConnectionSettings {
  readonly profile?: string;
  /** Of a gateway's listeners. */
  readonly listenerPerConnectionBufferLimitBytes?: number;
  readonly httpIdleTimeout?: string;
  readonly httpMaxConnectionDuration?: string;
  readonly httpMaxStreamDuration?: string;
  readonly httpStreamIdleTimeout?: string;
  readonly httpRequestTimeout?: string;
  readonly httpRequestHeadersTimeout?: string;
  readonly httpDrainTimeout?: string;
  readonly httpMaxConcurrentStreams?: number;
  readonly http2InitialStreamWindowSize?: number;
  readonly http2InitialConnectionWindowSize?: number;
  readonly httpHeadersWithUnderscoresAction?: string;
  readonly httpMergeSlashes?: boolean;
  readonly httpPathWithEscapedSlashesAction?: string;
}

/** What Envoy's page for proxies at the edge advises (Istio: applyEdgeProfileDefaults). */
const EDGE: ConnectionSettings = {
  listenerPerConnectionBufferLimitBytes: 32_768,
  httpIdleTimeout: '1h',
  httpStreamIdleTimeout: '5m',
  httpRequestTimeout: '5m',
  httpRequestHeadersTimeout: '60s',
  httpMaxConcurrentStreams: 100,
  http2InitialStreamWindowSize: 65_536,
  http2InitialConnectionWindowSize: 1_048_576,
  httpHeadersWithUnderscoresAction: 'HEADERS_WITH_UNDERSCORES_REJECT_REQUEST',
  httpMergeSlashes: true,
  httpPathWithEscapedSlashesAction: 'UNESCAPE_AND_REDIRECT',
};

/** The first value of an enumeration is as good as none. */
const UNSPECIFIED: ReadonlySet<unknown> = new Set([
  undefined,
  'HEADERS_WITH_UNDERSCORES_UNSPECIFIED',
  'PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED',
]);

/** As they hold for a proxy: the profile EDGE fills in for gateways what is not said. */
export function effectiveConnections(settings: ConnectionSettings, gateway: boolean): ConnectionSettings {
  const said = Object.fromEntries(Object.entries(settings).filter(([, value]) => !UNSPECIFIED.has(value))) as ConnectionSettings;
  return gateway && said.profile === 'EDGE' ? { ...EDGE, ...said } : said;
}
