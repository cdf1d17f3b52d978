import { labels, texts } from './common.ts';
import { clientTls, connectionPool, keepAlive, locality, outlierDetection, zoneAware } from './destination-rule.ts';
import { extensionProvider } from './extension-provider.ts';
import { type Kind, NOTHING_ELSE } from './kind.ts';
import { NO_PROXY, PROXY_CONFIG } from './mesh-proxy-config.ts';
import {
  any,
  anyDuration,
  anyObject,
  bool,
  choice,
  duration,
  type Fields,
  ignored,
  ignoredFields,
  int32,
  list,
  noted,
  object,
  rule,
  ruled,
  smallCount,
  text,
} from './schema.ts';

const retry = object({
  attempts: smallCount,
  retryOn: text,
  perTryTimeout: duration,
  backoff: duration,
  retryRemoteLocalities: bool,
  retryIgnorePreviousHosts: bool,
});

const VISIBILITY = choice('VISIBILITY_UNSPECIFIED', 'NONE', 'NAMESPACE', 'PUBLIC');
const noCurves = rule('mesh TLS does not support ECDH curves: give them in tlsDefaults', (value: readonly string[]) => value.length === 0);
const minProtocolVersion = choice('TLS_AUTO', 'TLSV1_2', 'TLSV1_3');

const fields: Fields = {
  trustDomain: noted(text, 'give the control plane the same --trust-domain: it issues certificates in that one'),
  trustDomainAliases: texts,
  rootNamespace: text,
  enableAutoMtls: bool,
  outboundTrafficPolicy: object({
    mode: noted(
      choice('ALLOW_ANY', 'REGISTRY_ONLY', 'ALLOW_ANY_DYNAMIC_DNS'),
      'ALLOW_ANY_DYNAMIC_DNS: the host of each `http:` request is looked up, whatever address an app has found',
    ),
    egressProxy: ignored(any, 'calls go to their host directly'),
    tls: noted(clientTls, 'of `http:` requests with ALLOW_ANY_DYNAMIC_DNS'),
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
  defaultDestinationRuleExportTo: noted(texts, '`.`, or everybody: istiod honours nothing else'),
  protocolDetectionTimeout: noted(anyDuration, 'for Envoys: a process of ours waits at most 15 s for the first bytes'),
  disableEnvoyListenerLog: noted(bool, 'for Envoys: processes have no such log'),
  defaultTrafficPolicy: noted(
    object({ connectionPool, outlierDetection }),
    'of services whose DestinationRule leaves the block out, and at servers',
  ),
  localityLbSetting: noted(locality, 'failover needs outlierDetection of the DestinationRule, `distribute` does not'),
  zoneAwareLbSetting: zoneAware,
  meshMTLS: noted(
    object({
      minProtocolVersion,
      cipherSuites: texts,
      ecdhCurves: ruled(texts, noCurves),
    }),
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
      object(
        {
          pem: noted(text, "trusted beside the mesh's own roots, for every trust domain, as in Istio"),
          spiffeBundleUrl: noted(
            text,
            'fetched by https with the roots of the system, again every 30 minutes; the last good roots are kept',
          ),
          certSigners: ignored(texts, 'our CA is the only signer'),
          trustDomains: noted(
            texts,
            'whose callers are let in by mTLS, beside the own trust domain and its aliases; the root itself is trusted for every trust domain, as in Istio',
          ),
        },
        [],
        [['pem', 'spiffeBundleUrl']],
      ),
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
  serviceScopeConfigs: ignored(list(anyObject), 'of ambient meshes'),
  serviceEntryVisibility: ignored(
    object({ defaultVisibility: VISIBILITY, applyToSidecars: bool, policies: list(anyObject) }),
    'write exportTo',
  ),
  ca: ignored(
    object({ address: text, tlsSettings: clientTls, requestTimeout: anyDuration, istiodSide: bool }),
    'the control plane is the CA',
  ),
  certificates: ignored(list(object({ secretName: text, dnsNames: texts }))),
  configSources: ignored(
    list(object({ address: text, tlsSettings: clientTls, subscribedResources: list(choice('SERVICE_REGISTRY')) })),
    'the control plane reads one folder',
  ),
  ...ignoredFields(
    {
      inboundClusterStatName: text,
      outboundClusterStatName: text,
      proxyListenPort: int32,
      proxyInboundListenPort: int32,
      proxyHttpPort: int32,
      inboundTrafficPolicy: object({ mode: choice('PASSTHROUGH', 'LOCALHOST') }),
      ingressClass: text,
      ingressService: text,
      ingressControllerMode: choice('UNSPECIFIED', 'OFF', 'DEFAULT', 'STRICT'),
      ingressSelector: text,
      enablePrometheusMerge: bool,
      enableEnvoyAccessLogService: bool,
      hboneIdleTimeout: anyDuration,
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
