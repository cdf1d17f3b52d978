import { texts } from './common.ts';
import { clientTls, keepAlive } from './destination-rule.ts';
import {
  any,
  anyDuration,
  anyObject,
  bool,
  choice,
  count,
  type Fields,
  ignored,
  ignoredFields,
  int32,
  list,
  map,
  noted,
  object,
  type Schema,
  text,
} from './schema.ts';

export const NO_PROXY = 'there is no proxy process and nothing is captured';

const FORWARDING = choice('UNDEFINED', 'SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY');
const disabled = object({ disabled: bool });
const enabled = object({ enabled: bool });
const hardware = object({ pollDelay: anyDuration, fallback: bool });
const remoteService = object({ address: text, tlsSettings: clientTls, tcpKeepalive: keepAlive });

const tracing = object(
  {
    sampling: { type: 'number', support: 'yes', min: 0, max: 100 },
    customTags: noted(
      map(
        object({
          literal: object({ value: text }),
          environment: object({ name: text, defaultValue: text }),
          header: object({ name: text, defaultValue: text }),
        }),
      ),
      'until a Telemetry sets some',
    ),
    enableIstioTags: bool,
    maxPathTagLength: count,
    ...ignoredFields(
      {
        zipkin: object({ address: text }),
        lightstep: object({ address: text, accessToken: text }),
        datadog: object({ address: text }),
        openCensusAgent: object({
          address: text,
          context: list(choice('UNSPECIFIED', 'W3C_TRACE_CONTEXT', 'GRPC_BIN', 'CLOUD_TRACE_CONTEXT', 'B3')),
        }),
        stackdriver: anyObject,
        tlsSettings: clientTls,
      },
      "spans go to the app's own OpenTelemetry SDK",
    ),
  },
  [],
  [['zipkin', 'lightstep', 'datadog', 'stackdriver', 'openCensusAgent']],
);

/** istiod's rules for them: validation/mesh-proxy-config.ts. */
const connectionSettings = object({
  profile: noted(choice('SIDECAR', 'EDGE'), 'EDGE fills in for gateways what is not said'),
  listenerPerConnectionBufferLimitBytes: noted(int32, 'for Envoys'),
  httpIdleTimeout: anyDuration,
  httpMaxConnectionDuration: anyDuration,
  httpDrainTimeout: anyDuration,
  httpRequestTimeout: anyDuration,
  httpRequestHeadersTimeout: anyDuration,
  httpStreamIdleTimeout: anyDuration,
  httpMaxStreamDuration: anyDuration,
  httpMaxConcurrentStreams: int32,
  http2InitialStreamWindowSize: int32,
  http2InitialConnectionWindowSize: int32,
  httpHeadersWithUnderscoresAction: choice(
    'HEADERS_WITH_UNDERSCORES_UNSPECIFIED',
    'HEADERS_WITH_UNDERSCORES_ALLOW',
    'HEADERS_WITH_UNDERSCORES_REJECT_REQUEST',
    'HEADERS_WITH_UNDERSCORES_DROP_HEADER',
  ),
  httpMergeSlashes: bool,
  httpPathWithEscapedSlashesAction: choice(
    'PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED',
    'KEEP_UNCHANGED',
    'REJECT_REQUEST',
    'UNESCAPE_AND_REDIRECT',
    'UNESCAPE_AND_FORWARD',
  ),
  ...ignoredFields(
    { clusterPerConnectionBufferLimitBytes: int32, listenerConnectionLimit: int32, globalDownstreamConnectionLimit: int32 },
    NO_PROXY,
  ),
});

/** What steers a proxy process. */
const PROXY_PROCESS: Fields = {
  configPath: text,
  binaryPath: text,
  serviceCluster: text,
  controlPlaneAuthPolicy: choice('NONE', 'MUTUAL_TLS', 'INHERIT'),
  customConfigFile: text,
  statNameLength: int32,
  concurrency: int32,
  proxyBootstrapTemplatePath: text,
  interceptionMode: choice('REDIRECT', 'TPROXY', 'NONE'),
  proxyAdminPort: int32,
  parentShutdownDuration: anyDuration,
  discoveryRefreshDelay: anyDuration,
  statsdUdpAddress: text,
  envoyMetricsServiceAddress: text,
  envoyMetricsService: remoteService,
  envoyAccessLogService: remoteService,
  zipkinAddress: text,
  tracingServiceName: choice('APP_LABEL_AND_NAMESPACE', 'CANONICAL_NAME_ONLY', 'CANONICAL_NAME_AND_NAMESPACE'),
  availabilityZone: text,
  statusPort: int32,
  extraStatTags: texts,
  proxyMetadata: map(text),
  runtimeValues: map(text),
  readinessProbe: anyObject,
  proxyStatsMatcher: object({ inclusionPrefixes: texts, inclusionSuffixes: texts, inclusionRegexps: texts }),
  holdApplicationUntilProxyStarts: bool,
  image: object({ imageType: text }),
  privateKeyProvider: object({ cryptomb: hardware, qat: hardware }, [], [['cryptomb', 'qat']]),
  fileFlushInterval: anyDuration,
  fileFlushMinSizeKb: count,
  statsCompression: bool,
  statsEvictionInterval: anyDuration,
  sds: object({ enabled: bool, k8sSaJwtPath: text }),
  environmentVariables: any,
  // Of the kind ProxyConfig alone: here nobody is selected, and the CRD's rules do not hold.
  selector: object({ matchLabels: map(text) }),
};

/** What of ProxyConfig (defaultConfig, the annotation proxy.istio.io/config) says something to a process without a proxy; the rest is listed as steering one. */
export const PROXY_CONFIG: Schema = object({
  tracing,
  gatewayTopology: object({
    numTrustedProxies: noted(count, 'at gateways, as in Istio'),
    forwardClientCertDetails: noted(FORWARDING, 'of gateways; SANITIZE_SET by default'),
    proxyProtocol: noted(
      object({}),
      'connections of gateways begin with a header of it, in a line or in binary; without one they are closed',
    ),
  }),
  proxyHeaders: object({
    forwardedClientCert: noted(FORWARDING, 'of servers; APPEND_FORWARD by default'),
    setCurrentClientCertDetails: noted(object({ subject: bool, cert: bool, chain: bool, dns: bool, uri: bool }), 'of servers'),
    requestId: noted(disabled, 'nobody is given an x-request-id'),
    server: noted(object({ disabled: bool, value: text }), 'of replies that do not come from the app'),
    attemptCount: noted(disabled, 'x-envoy-attempt-count'),
    envoyDebugHeaders: noted(disabled, 'our own processes send none'),
    metadataExchangeHeaders: ignored(
      object({ mode: choice('UNDEFINED', 'IN_MESH') }),
      'our own processes exchange no such headers, and a stock Envoy neither',
    ),
    ...ignoredFields(
      { preserveHttp1HeaderCase: bool, xForwardedHost: enabled, xForwardedPort: enabled },
      'names of headers are passed as they come',
    ),
  }),
  connectionSettings: noted(connectionSettings, 'over what MeshConfig says of paths'),
  ...ignoredFields(
    { discoveryAddress: text, caCertificatesPem: texts, meshId: text },
    'options of createMesh and RIPSTOP_* say where the control plane is and whom to trust',
  ),
  ...ignoredFields(
    { drainDuration: anyDuration, terminationDrainDuration: anyDuration },
    'mesh.close({ drainMs }) and the 5 s of SIGTERM decide',
  ),
  ...ignoredFields(PROXY_PROCESS, NO_PROXY),
});
