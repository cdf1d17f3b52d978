import { parse, parseAllDocuments } from 'yaml';
import { MESH_CONFIG_CASES } from '../../../../packages/istio-api/src/testing/mesh-config-cases.ts';
import { documentOf as documentOfCase, VALIDATION_CASES } from '../../../../packages/istio-api/src/testing/validation-cases.ts';
import type { Document } from '../mesh/document.ts';
import { randomMesh } from '../mesh/random-mesh.ts';

/** A document of each kind with most of its fields: what a mutation may hit. */
const RICH = `
{ kind: VirtualService, spec: { hosts: [reviews, "*.shop.example"], gateways: [mesh, edge/main], exportTo: ["."], http: [
  { name: a, match: [{ uri: { regex: "/v[0-9]+" }, method: { exact: GET }, scheme: { exact: http }, authority: { prefix: a }, headers: { x: { exact: "1" } },
      withoutHeaders: { y: { prefix: b } }, queryParams: { q: { regex: "a+" } }, port: 80, sourceLabels: { app: web }, sourceNamespace: default,
      gateways: [mesh], ignoreUriCase: true, name: m, statPrefix: s }],
    route: [{ destination: { host: reviews, subset: v1, port: { number: 8080 } }, weight: 60, headers: { request: { set: { a: b }, remove: [c] } } },
      { destination: { host: reviews, subset: v2 }, weight: 40, headers: { response: { add: { d: e } } } }],
    rewrite: { authority: other, uriRegexRewrite: { match: "^/v([0-9])", rewrite: "/w" } }, timeout: 5s,
    retries: { attempts: 2, perTryTimeout: 1s, retryOn: "5xx,503", retryRemoteLocalities: true, retryIgnorePreviousHosts: false, backoff: 25ms },
    fault: { delay: { fixedDelay: 1s, percentage: { value: 10 } }, abort: { httpStatus: 503, percentage: { value: 5 } } },
    mirrors: [{ destination: { host: copy }, percentage: { value: 50 } }],
    corsPolicy: { allowOrigins: [{ exact: "https://a.example" }], allowMethods: [GET], allowHeaders: [x], exposeHeaders: [z], maxAge: 24h, allowCredentials: true, unmatchedPreflights: FORWARD },
    headers: { request: { set: { a: b }, add: { c: d }, remove: [e] } } },
  { match: [{ uri: { prefix: /r } }], redirect: { prefixRewrite: /s, authority: b.example, scheme: https, port: 8443, redirectCode: 308 } },
  { match: [{ uri: { exact: /d } }], directResponse: { status: 404, body: { string: none } } },
  { route: [{ destination: { host: reviews } }], mirror: { host: copy, port: { number: 80 } }, mirrorPercentage: { value: 1 } }],
  tls: [{ match: [{ sniHosts: [reviews], destinationSubnets: [10.0.0.0/8], port: 443, sourceLabels: { a: b }, gateways: [mesh] }], route: [{ destination: { host: reviews }, weight: 100 }] }],
  tcp: [{ match: [{ destinationSubnets: [10.1.0.0/16], port: 3306, sourceLabels: { a: b }, gateways: [mesh], sourceSubnet: 10.0.0.1 }], route: [{ destination: { host: db }, weight: 1 }] }] } }
{ kind: DestinationRule, spec: { host: reviews, exportTo: ["."], workloadSelector: { matchLabels: { app: web } }, trafficPolicy: {
    loadBalancer: { simple: ROUND_ROBIN, localityLbSetting: { enabled: true, failover: [{ from: a, to: b }], failoverPriority: [x] }, warmup: { duration: 10s, minimumPercent: 10, aggression: 1 } },
    connectionPool: { tcp: { maxConnections: 10, connectTimeout: 1s, idleTimeout: 1h, maxConnectionDuration: 2h, tcpKeepalive: { time: 60s, interval: 10s, probes: 3 } },
      http: { http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRequestsPerConnection: 3, maxRetries: 4, idleTimeout: 30s, h2UpgradePolicy: DEFAULT, useClientProtocol: true, maxConcurrentStreams: 5, http2KeepAlive: { interval: 5s, timeout: 1s } } },
    outlierDetection: { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3, consecutiveGatewayErrors: 2, consecutive5xxErrors: 5, interval: 5s, baseEjectionTime: 30s, maxEjectionPercent: 50, minHealthPercent: 10 },
    tls: { mode: MUTUAL, clientCertificate: /c, privateKey: /k, caCertificates: /ca, subjectAltNames: [a], sni: b.example },
    retryBudget: { percent: 20, minRetryConcurrency: 3 },
    portLevelSettings: [{ port: { number: 80 }, loadBalancer: { consistentHash: { httpCookie: { name: c, ttl: 0s, path: /, attributes: [{ name: a, value: b }] }, ringHash: { minimumRingSize: 1024 } } } },
      { port: { number: 81 }, loadBalancer: { consistentHash: { httpHeaderName: x, maglev: { tableSize: 1009 } } } }] },
  subsets: [{ name: v1, labels: { version: v1 }, trafficPolicy: { loadBalancer: { simple: RANDOM } } }, { name: v2, labels: { version: v2 } }] } }
{ kind: DestinationRule, spec: { host: "*.example.com", trafficPolicy: { tls: { mode: SIMPLE, credentialName: c, sni: a.example, subjectAltNames: [b] },
    loadBalancer: { simple: LEAST_REQUEST, localityLbSetting: { distribute: [{ from: "a/*", to: { "a/b/*": 60, c: 40 } }] } } } } }
{ kind: DestinationRule, spec: { host: reviews, trafficPolicy: { loadBalancer: { zoneAwareLbSetting: { enabled: true, failover: [{ from: a, to: b }], failoverPriority: [x], minClusterSize: 3 } } } } }
{ kind: ServiceEntry, spec: { hosts: [a.example, "*.b.example"], addresses: [10.1.2.3], location: MESH_EXTERNAL, resolution: STATIC, exportTo: ["*"], subjectAltNames: [x],
    ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }, { number: 443, name: tls, protocol: TLS }],
    endpoints: [{ address: 10.0.0.1, ports: { http: 8081 }, labels: { a: b }, network: n, locality: r/z/s, weight: 5, serviceAccount: sa }] } }
{ kind: ServiceEntry, spec: { hosts: [c.example], location: MESH_INTERNAL, resolution: DNS, ports: [{ number: 80, name: http, protocol: GRPC }], workloadSelector: { labels: { app: vm } } } }
{ kind: WorkloadEntry, spec: { address: 10.0.0.2, ports: { http: 8080 }, labels: { app: vm }, network: n, locality: r/z, weight: 1, serviceAccount: sa } }
{ kind: WorkloadGroup, spec: { metadata: { labels: { app: vm }, annotations: { x: y } }, template: { ports: { http: 80 }, labels: { a: b }, network: n, locality: r, weight: 2, serviceAccount: sa },
    probe: { initialDelaySeconds: 1, timeoutSeconds: 2, periodSeconds: 3, successThreshold: 1, failureThreshold: 2, httpGet: { path: /, port: 80, host: a, scheme: HTTP, httpHeaders: [{ name: x, value: y }] } } } }
{ kind: WorkloadGroup, spec: { template: { serviceAccount: sa }, probe: { tcpSocket: { host: a, port: 80 } } } }
{ kind: WorkloadGroup, spec: { template: { serviceAccount: sa }, probe: { exec: { command: [a, b] } } } }
{ kind: Sidecar, spec: { workloadSelector: { labels: { app: web } }, outboundTrafficPolicy: { mode: REGISTRY_ONLY },
    ingress: [{ port: { number: 9080, protocol: HTTP, name: http }, defaultEndpoint: "127.0.0.1:8080" }],
    egress: [{ port: { number: 80, protocol: HTTP, name: out }, hosts: [./*] }, { hosts: ["./a.example", "*/*"] }] } }
{ kind: Gateway, spec: { selector: { istio: ingressgateway }, servers: [
  { name: one, port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"], tls: { httpsRedirect: true } },
  { port: { number: 443, name: https, protocol: HTTPS }, hosts: [ns/shop.example, ./a.example], tls: { mode: MUTUAL, credentialName: c, minProtocolVersion: TLSV1_2, maxProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-RSA-AES256-GCM-SHA384], subjectAltNames: [x] } },
  { port: { number: 444, name: files, protocol: HTTPS }, hosts: ["*.b.example"], tls: { mode: SIMPLE, serverCertificate: /c, privateKey: /k } },
  { port: { number: 445, name: pass, protocol: TLS }, hosts: ["*"], tls: { mode: PASSTHROUGH } },
  { port: { number: 31400, name: tcp, protocol: TCP }, hosts: ["*"] }] } }
{ kind: ProxyConfig, spec: { selector: { matchLabels: { app: web } }, concurrency: 2, environmentVariables: { A: b }, image: { imageType: distroless } } }
{ kind: EnvoyFilter, apiVersion: networking.istio.io/v1alpha3, spec: { workloadSelector: { labels: { app: web } }, priority: 5, configPatches: [
  { applyTo: HTTP_FILTER, match: { context: SIDECAR_INBOUND, proxy: { proxyVersion: ".*", metadata: { a: b } }, listener: { portNumber: 80, name: x, filterChain: { name: y, sni: z, filter: { name: envoy.filters.network.http_connection_manager, subFilter: { name: envoy.filters.http.router } } } } },
    patch: { operation: INSERT_BEFORE, value: { name: envoy.filters.http.lua, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, defaultSourceCode: { inlineString: "x" } } } } },
  { applyTo: CLUSTER, match: { context: SIDECAR_OUTBOUND, cluster: { service: a, portNumber: 80, subset: v1, name: n } }, patch: { operation: MERGE, value: { connect_timeout: 5s } } },
  { applyTo: HTTP_ROUTE, match: { routeConfiguration: { name: a, portNumber: 80, portName: http, gateway: g, vhost: { name: v, route: { name: r, action: ROUTE } } } }, patch: { operation: MERGE, value: { name: x } } }] } }
{ kind: PeerAuthentication, spec: { selector: { matchLabels: { app: web } }, mtls: { mode: STRICT }, portLevelMtls: { 8080: { mode: DISABLE } } } }
{ kind: RequestAuthentication, spec: { selector: { matchLabels: { app: web } }, jwtRules: [
  { issuer: "https://issuer.example", jwksUri: "https://issuer.example/keys", audiences: [a], fromHeaders: [{ name: x, prefix: "Bearer " }], fromParams: [t], fromCookies: [c],
    outputPayloadToHeader: x-payload, forwardOriginalToken: true, outputClaimToHeaders: [{ header: x-sub, claim: sub }], timeout: 5s }] } }
{ kind: RequestAuthentication, spec: { jwtRules: [{ issuer: a, jwks: '{"keys":[{"kty":"EC","x":"Vc4mbbDyV_yJjhW5c3aIlFOmd6hPvixFy8wjS72J9OM","y":"VSNTPnXtn8htNOxivAtdvb3deuHt2JBdaiN62x1F62g","crv":"P-256"}]}' }], targetRefs: [{ kind: Gateway, group: gateway.networking.k8s.io, name: g }] } }
{ kind: AuthorizationPolicy, spec: { selector: { matchLabels: { app: web } }, action: DENY, rules: [
  { from: [{ source: { principals: [cluster.local/ns/a/sa/b], notPrincipals: ["*x"], requestPrincipals: [i/s], notRequestPrincipals: [j/*], namespaces: [a], notNamespaces: [b], ipBlocks: [10.0.0.0/8], notIpBlocks: [10.1.0.0/16], remoteIpBlocks: [1.2.3.4], notRemoteIpBlocks: ["::1"] } }],
    to: [{ operation: { hosts: [a.example], notHosts: ["*.b"], ports: ["80"], notPorts: ["81"], methods: [GET], notMethods: [PUT], paths: ["/a/{*}", /b*], notPaths: [/c] } }],
    when: [{ key: "request.headers[x]", values: [a], notValues: [b] }, { key: source.ip, values: [10.0.0.1] }, { key: "request.auth.claims[iss]", values: ["*"] }, { key: destination.port, values: ["80"] }] }] } }
{ kind: AuthorizationPolicy, spec: { action: ALLOW, rules: [{ from: [{ source: { serviceAccounts: [a/b], notServiceAccounts: [c], trustDomains: [td], notTrustDomains: [x] } }], to: [{ operation: { paths: [/x] } }] }] } }
{ kind: AuthorizationPolicy, spec: { action: CUSTOM, provider: { name: p }, rules: [{ from: [{ source: { ipBlocks: [10.0.0.0/8] } }], to: [{ operation: { paths: [/x] } }] }] } }
{ kind: AuthorizationPolicy, spec: { targetRefs: [{ kind: Gateway, group: gateway.networking.k8s.io, name: g }], action: ALLOW, rules: [{}] } }
{ kind: Telemetry, spec: { selector: { matchLabels: { app: web } }, tracing: [{ match: { mode: CLIENT }, providers: [{ name: z }], randomSamplingPercentage: 10, disableSpanReporting: false, useRequestIdForTraceSampling: true, enableIstioTags: true,
    customTags: { a: { literal: { value: b } }, c: { environment: { name: D, defaultValue: e } }, f: { header: { name: g, defaultValue: h } } } }],
  metrics: [{ providers: [{ name: prometheus }], reportingInterval: 5s, overrides: [{ match: { metric: REQUEST_COUNT, mode: SERVER }, disabled: false, tagOverrides: { a: { operation: UPSERT, value: "x" }, b: { operation: REMOVE } } }, { match: { customMetric: m }, disabled: true }] }],
  accessLogging: [{ match: { mode: SERVER }, providers: [{ name: envoy }], disabled: false, filter: { expression: "response.code >= 400" } }] } }
{ kind: WasmPlugin, spec: { selector: { matchLabels: { app: web } }, url: "oci://registry.example/plugin:1", type: HTTP, sha256: "", imagePullPolicy: IfNotPresent, imagePullSecret: s, phase: STATS, priority: 1, pluginName: p, pluginConfig: { a: b }, failStrategy: FAIL_OPEN,
    vmConfig: { env: [{ name: A, valueFrom: INLINE, value: b }] }, match: [{ mode: CLIENT, ports: [{ number: 80 }] }] } }
`;

const GROUPS: Readonly<Record<string, string>> = {
  PeerAuthentication: 'security.istio.io/v1',
  RequestAuthentication: 'security.istio.io/v1',
  AuthorizationPolicy: 'security.istio.io/v1',
  Telemetry: 'telemetry.istio.io/v1',
  WasmPlugin: 'extensions.istio.io/v1alpha1',
  ProxyConfig: 'networking.istio.io/v1beta1',
};

/** A document of a kind, without its spec. */
export function documentOf(kind: string, name: string): Document {
  const apiVersion = kind === 'EnvoyFilter' ? 'networking.istio.io/v1alpha3' : (GROUPS[kind] ?? 'networking.istio.io/v1');
  return { apiVersion, kind, metadata: { name, namespace: 'default' } };
}

function richDocuments(): Document[] {
  return RICH.split(/\n(?=\{)/)
    .filter((text) => text.trim() !== '')
    .map((text, index) => {
      const { kind, spec } = parse(text) as Document;
      return { ...documentOf(kind, `rich-${index}`), spec };
    });
}

/** Documents of random meshes, most of which are right. */
export function drawnDocuments(): Document[] {
  return [1, 2, 3].flatMap((seed) => randomMesh(seed).documents.filter(({ apiVersion }) => apiVersion.includes('.istio.io/')));
}

/** Documents of Istio's kinds that are right. */
export function baseDocuments(): Document[] {
  const cases = VALIDATION_CASES.filter(({ refused }) => refused === undefined);
  return [
    ...richDocuments(),
    ...cases.flatMap((one) => parseAllDocuments(documentOfCase(one)).map((document) => document.toJS() as Document)),
  ];
}

const RICH_MESH = `{ trustDomain: a.example, trustDomainAliases: [b], rootNamespace: istio-system, enableAutoMtls: true, connectTimeout: 5s, accessLogFile: /dev/stdout, accessLogEncoding: JSON,
  outboundTrafficPolicy: { mode: REGISTRY_ONLY }, pathNormalization: { normalization: BASE }, defaultHttpRetryPolicy: { attempts: 2, retryOn: 5xx, perTryTimeout: 1s }, h2UpgradePolicy: UPGRADE, dnsRefreshRate: 30s,
  tcpKeepalive: { time: 60s, probes: 3 }, discoverySelectors: [{ matchLabels: { a: b }, matchExpressions: [{ key: a, operator: In, values: [b] }] }], defaultServiceExportTo: [.], proxyListenPort: 15001,
  protocolDetectionTimeout: 0s, meshMTLS: { minProtocolVersion: TLSV1_3, cipherSuites: [x] }, tlsDefaults: { minProtocolVersion: TLSV1_2, ecdhCurves: [P-256] }, enableTracing: true, ingressControllerMode: STRICT,
  serviceSettings: [{ settings: { clusterLocal: true }, hosts: ["*.a"] }], localityLbSetting: { enabled: true, failover: [{ from: a, to: b }] }, zoneAwareLbSetting: { enabled: true, failover: [{ from: a, to: b }] },
  defaultTrafficPolicy: { connectionPool: { tcp: { maxConnections: 5 }, http: { maxRetries: 2 } }, outlierDetection: { interval: 5s } }, defaultProviders: { tracing: [z], metrics: [prometheus], accessLogging: [envoy] },
  extensionProviders: [{ name: z, zipkin: { service: zipkin, port: 9411, maxTagLength: 10 } }, { name: a, envoyExtAuthzHttp: { service: authz, port: 80, timeout: 1s, pathPrefix: /x, failOpen: true, statusOnError: "503", includeRequestHeadersInCheck: [x] } },
    { name: f, envoyFileAccessLog: { path: /dev/stdout, logFormat: { labels: { a: b } } } }],
  defaultConfig: { discoveryAddress: "a:15012", drainDuration: 45s, statusPort: 15021, concurrency: 2, proxyMetadata: { A: b }, tracing: { sampling: 10, zipkin: { address: "z:9411" }, customTags: { a: { literal: { value: b } } } }, gatewayTopology: { numTrustedProxies: 1, forwardClientCertDetails: SANITIZE },
    proxyHeaders: { server: { disabled: true, value: x }, forwardedClientCert: SANITIZE, requestId: { disabled: true } }, privateKeyProvider: { qat: { pollDelay: 10ms } }, connectionSettings: { httpIdleTimeout: 1s, httpMaxConcurrentStreams: 10, listenerConnectionLimit: 5 }, proxyStatsMatcher: { inclusionPrefixes: [a] } } }`;

/** Bare MeshConfigs that istiod takes. */
export function baseMeshes(): Record<string, unknown>[] {
  const few = [
    'defaultConfig: { tracing: { sampling: 50 } }',
    'defaultHttpRetryPolicy: { attempts: 2 }',
    'defaultTrafficPolicy: { connectionPool: { http: { http2KeepAlive: { interval: 5s, timeout: 1s } } } }',
    'zoneAwareLbSetting: { minClusterSize: 3 }',
  ];
  const cases = MESH_CONFIG_CASES.filter(({ refused }) => refused === undefined);
  return [RICH_MESH, ...few, ...cases.map(({ mesh }) => mesh)].map((mesh) => parse(mesh)) as Record<string, unknown>[];
}
