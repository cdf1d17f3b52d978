import { anyList, labels, selector, texts } from './common.ts';
import { connectionPool, keepAlive, outlierDetection } from './destination-rule.ts';
import { extensionProvider } from './extension-provider.ts';
import { type Kind, NOTHING_ELSE } from './kind.ts';
import {
  any,
  bool,
  choice,
  count,
  duration,
  type Fields,
  ignored,
  ignoredFields,
  list,
  map,
  noted,
  number,
  object,
  refused,
  type Schema,
  text,
} from './schema.ts';

const NO_PROXY = 'there is no proxy process and nothing is captured';

const retry = object({
  attempts: count,
  retryOn: text,
  perTryTimeout: duration,
  backoff: duration,
  retryRemoteLocalities: bool,
  retryIgnorePreviousHosts: bool,
});

const FORWARDING = choice('UNDEFINED', 'SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY');

/** What of ProxyConfig (defaultConfig, the annotation proxy.istio.io/config) says something to a process without a proxy; the rest is listed as steering one. */
export const PROXY_CONFIG: Schema = object({
  tracing: object({
    sampling: { type: 'number', support: 'yes', min: 0, max: 100 },
    customTags: noted(map(object({ literal: any, environment: any, header: any })), 'until a Telemetry sets some'),
    enableIstioTags: bool,
    maxPathTagLength: number,
    ...ignoredFields(
      {
        zipkin: any,
        lightstep: any,
        datadog: any,
        openCensusAgent: any,
        stackdriver: any,
        tlsSettings: any,
      },
      "spans go to the app's own OpenTelemetry SDK",
    ),
  }),
  gatewayTopology: object({
    numTrustedProxies: noted(count, 'at gateways, as in Istio'),
    forwardClientCertDetails: noted(FORWARDING, 'of gateways; SANITIZE_SET by default'),
    proxyProtocol: ignored(any, 'a gateway reads no PROXY protocol; put one in front of it that does'),
  }),
  proxyHeaders: object({
    forwardedClientCert: noted(FORWARDING, 'of servers; APPEND_FORWARD by default'),
    setCurrentClientCertDetails: noted(object({ subject: bool, cert: bool, chain: bool, dns: bool, uri: bool }), 'of servers'),
    requestId: noted(object({ disabled: bool }), 'nobody is given an x-request-id'),
    server: noted(object({ disabled: bool, value: text }), 'of replies that do not come from the app'),
    attemptCount: noted(object({ disabled: bool }), 'x-envoy-attempt-count'),
    envoyDebugHeaders: noted(object({ disabled: bool }), 'our own processes send none'),
    metadataExchangeHeaders: ignored(object({ mode: text }), 'our own processes exchange no such headers, and a stock Envoy neither'),
    ...ignoredFields(
      { preserveHttp1HeaderCase: any, xForwardedHost: any, xForwardedPort: any },
      'names of headers are passed as they come',
    ),
  }),
  ...ignoredFields(
    { discoveryAddress: text, caCertificatesPem: texts, meshId: text },
    'options of createMesh and RIPSTOP_* say where the control plane is and whom to trust',
  ),
  ...ignoredFields(
    { drainDuration: duration, terminationDrainDuration: duration },
    'mesh.close({ drainMs }) and the 5 s of SIGTERM decide',
  ),
  ...ignoredFields(
    {
      configPath: text,
      binaryPath: text,
      serviceCluster: text,
      controlPlaneAuthPolicy: text,
      customConfigFile: text,
      statNameLength: number,
      concurrency: number,
      proxyBootstrapTemplatePath: text,
      interceptionMode: text,
      proxyAdminPort: number,
      parentShutdownDuration: duration,
      statsdUdpAddress: text,
      envoyMetricsService: any,
      envoyAccessLogService: any,
      zipkinAddress: text,
      tracingServiceName: text,
      availabilityZone: text,
      statusPort: number,
      extraStatTags: texts,
      proxyMetadata: any,
      runtimeValues: any,
      readinessProbe: any,
      proxyStatsMatcher: any,
      holdApplicationUntilProxyStarts: bool,
      image: any,
      privateKeyProvider: any,
      fileFlushInterval: duration,
      fileFlushMinSizeKb: number,
      statsCompression: bool,
      statsEvictionInterval: duration,
      connectionSettings: any,
      sds: any,
      environmentVariables: any,
      selector,
    },
    NO_PROXY,
  ),
});

const minProtocolVersion = choice('TLS_AUTO', 'TLSV1_2', 'TLSV1_3');

const fields: Fields = {
  trustDomain: noted(text, 'give the control plane the same --trust-domain: it issues certificates in that one'),
  trustDomainAliases: texts,
  rootNamespace: text,
  enableAutoMtls: bool,
  outboundTrafficPolicy: object({
    mode: noted(
      choice('ALLOW_ANY', 'REGISTRY_ONLY', 'ALLOW_ANY_DYNAMIC_DNS'),
      'ALLOW_ANY_DYNAMIC_DNS is ALLOW_ANY: an app looks hosts up itself',
    ),
    egressProxy: ignored(any, 'calls go to their host directly'),
    tls: ignored(any, 'of ALLOW_ANY_DYNAMIC_DNS: an app makes its own TLS'),
  }),
  connectTimeout: duration,
  pathNormalization: object({ normalization: choice('DEFAULT', 'NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES') }),
  accessLogFile: text,
  accessLogFormat: text,
  accessLogEncoding: choice('TEXT', 'JSON'),
  defaultHttpRetryPolicy: retry,
  defaultConfig: PROXY_CONFIG,
  enableTracing: noted(bool, "true by default; the app's own OpenTelemetry SDK gets the spans"),
  extensionProviders: list(extensionProvider),
  defaultProviders: object({ metrics: noted(texts, '`prometheus` by default'), tracing: texts, accessLogging: texts }),
  defaultServiceExportTo: texts,
  defaultVirtualServiceExportTo: texts,
  defaultDestinationRuleExportTo: texts,
  defaultTrafficPolicy: noted(
    object({ connectionPool, outlierDetection }),
    'of services whose DestinationRule leaves the block out, and at servers',
  ),
  localityLbSetting: noted(any, 'failover needs outlierDetection of the DestinationRule, `distribute` does not'),
  zoneAwareLbSetting: any,
  meshMTLS: noted(
    object({ minProtocolVersion, cipherSuites: texts, ecdhCurves: ignored(texts, 'istiod takes them from tlsDefaults only') }),
    'of the servers of the mesh; by default TLS 1.2 with the AES-GCM suites of istiod',
  ),
  tlsDefaults: noted(
    object({
      minProtocolVersion: noted(minProtocolVersion, 'of gateways, as in istiod'),
      cipherSuites: noted(texts, "of gateways; in a DestinationRule's tls SIMPLE and MUTUAL for Envoys"),
      ecdhCurves: noted(texts, 'for Envoys; our own processes offer the curves of Node'),
    }),
    'of gateways and of TLS origination; not of mTLS in the mesh',
  ),
  caCertificates: noted(
    list(
      object({
        pem: noted(text, "trusted beside the mesh's own roots, for every trust domain, as in Istio"),
        spiffeBundleUrl: refused(text, 'bundles are not fetched: give pem'),
        certSigners: ignored(texts, 'our CA is the only signer'),
        trustDomains: ignored(texts, 'a root speaks for every trust domain, as in Istio'),
      }),
    ),
    'over SDS, to workloads that proved who they are',
  ),
  verifyCertificateAtClient: noted(bool, "always: without caCertificates the system's roots are used, as in istiod"),
  dnsRefreshRate: noted(duration, '60 s by default'),
  tcpKeepalive: noted(keepAlive, 'of every connection that is made; a DestinationRule changes it field by field'),
  h2UpgradePolicy: noted(choice('DO_NOT_UPGRADE', 'UPGRADE'), 'of HTTP ports, as in a DestinationRule'),
  defaultInboundHttpRetryPolicy: ignored(
    retry,
    'the app is in the process: nothing is retried towards it; istiod does not pass it on to Envoys either',
  ),
  discoverySelectors: noted(
    list(
      object({
        matchLabels: labels,
        matchExpressions: list(object({ key: text, operator: choice('In', 'NotIn', 'Exists', 'DoesNotExist'), values: texts })),
      }),
    ),
    'labels of Namespaces; the documents of other namespaces, policies included, do not count. A namespace without a document has its name as `kubernetes.io/metadata.name`',
  ),
  serviceSettings: list(
    object({
      settings: object({ clusterLocal: noted(bool, 'endpoints of other clusters (CLUSTER_ID) are left out') }),
      hosts: noted(texts, 'full host names, or `*.` and an end; the most specific decides'),
    }),
  ),
  serviceScopeConfigs: ignored(anyList, 'of ambient meshes'),
  serviceEntryVisibility: ignored(any, 'write exportTo'),
  ca: ignored(any, 'the control plane is the CA'),
  certificates: ignored(anyList),
  configSources: ignored(anyList, 'the control plane reads one folder'),
  ...ignoredFields(
    {
      inboundClusterStatName: text,
      outboundClusterStatName: text,
      proxyListenPort: number,
      proxyInboundListenPort: number,
      proxyHttpPort: number,
      protocolDetectionTimeout: duration,
      inboundTrafficPolicy: any,
      ingressClass: text,
      ingressService: text,
      ingressControllerMode: text,
      ingressSelector: text,
      enablePrometheusMerge: bool,
      enableEnvoyAccessLogService: bool,
      disableEnvoyListenerLog: bool,
      hboneIdleTimeout: duration,
    },
    NO_PROXY,
  ),
};

export const meshConfig: Kind = {
  kind: 'MeshConfig',
  group: 'ripstop.dev',
  versions: ['v1'],
  namespaced: false,
  rest: NOTHING_ELSE,
  status: 'used',
  note: "a file `mesh.yaml` with Istio's MeshConfig, without apiVersion and kind, or the key `mesh` of the ConfigMap `istio` in istio-system",
  spec: object(fields),
};
