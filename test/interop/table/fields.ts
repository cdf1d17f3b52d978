/** One field, or a few that belong together, upon a recorded mesh. */
export interface FieldRow {
  readonly name: string;
  /** A case of the recordings. */
  readonly mesh: string;
  /** MeshConfig in the place of the case's own. */
  readonly config?: string;
  /** Documents beside the case's. */
  readonly yaml?: string;
}

const mesh = (name: string, on: string, config: object): FieldRow => ({
  name: `MeshConfig: ${name}`,
  mesh: on,
  config: JSON.stringify(config),
});
const rule = (name: string, policy: string): FieldRow => ({
  name: `DestinationRule: ${name}`,
  mesh: 'seed',
  yaml: `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: fields, namespace: default, creationTimestamp: "2020-01-01T00:00:00Z" }
spec: { host: reviews, trafficPolicy: ${policy} }
`,
});

const originating = (name: string, tls: object, selects = false): FieldRow => ({
  name: `DestinationRule: tls with ${name}`,
  mesh: 'seed',
  yaml: `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: fields, namespace: default, creationTimestamp: "2020-01-01T00:00:00Z" }
spec: ${JSON.stringify({ host: 'reviews', trafficPolicy: { tls }, ...(selects ? { workloadSelector: { matchLabels: { app: 'productpage' } } } : {}) })}
`,
});

/** Rules for `reviews`, each with a connect timeout and a subset of its own. */
const selecting = (name: string, ...rules: readonly { readonly labels?: object; readonly exportTo?: readonly string[] }[]): FieldRow => ({
  name: `DestinationRule: ${name}`,
  mesh: 'seed',
  yaml: rules
    .map(({ labels, exportTo }, at) => {
      const trafficPolicy = { connectionPool: { tcp: { connectTimeout: `${at + 3}s` } } };
      const subsets = [{ name: `s${at}`, labels: { version: `v${at}` } }];
      const selector = labels === undefined ? {} : { workloadSelector: { matchLabels: labels } };
      return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: selecting-${at}, namespace: default, creationTimestamp: "2020-01-01T00:00:00Z" }
spec: ${JSON.stringify({ host: 'reviews', trafficPolicy, subsets, ...selector, ...(exportTo === undefined ? {} : { exportTo }) })}
`;
    })
    .join('---\n'),
});

/** WasmPlugins of the mesh, each with a name of its own. */
const plugins = (name: string, on: string, ...specs: readonly object[]): FieldRow => ({
  name: `WasmPlugin: ${name}`,
  mesh: on,
  yaml: specs
    .map(
      (spec, at) => `apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: { name: plugin-${at}, namespace: istio-system, creationTimestamp: "2020-01-01T00:00:0${at}Z" }
spec: ${JSON.stringify({ url: `oci://registry.example/p${at}:1`, ...spec })}
`,
    )
    .join('---\n'),
});

const patches = (name: string, on: string, ...configPatches: readonly object[]): FieldRow => ({
  name: `EnvoyFilter: ${name}`,
  mesh: on,
  yaml: `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: fields, namespace: istio-system, creationTimestamp: "2020-01-01T00:00:00Z" }
spec: ${JSON.stringify({ configPatches })}
`,
});
/** Servers of one port, the first of them of TLS. */
const shared = (name: string, hosts: string, protocols: readonly string[]): FieldRow => ({
  name: `Gateway: servers that share a port: ${name}`,
  mesh: 'gateway-merge',
  yaml: `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: shared, namespace: shop, creationTimestamp: "2030-01-01T00:00:00Z" }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 8999, name: first, protocol: HTTPS }, hosts: ${hosts}, tls: { mode: SIMPLE, credentialName: a-cert, cipherSuites: [ECDHE-RSA-AES256-GCM-SHA384, NONE-SUCH] } }
${protocols
  .map(
    (protocol, index) =>
      `  - { port: { number: 8999, name: p${index}, protocol: ${protocol} }, hosts: ["${index}.example.com"]${protocol === 'HTTPS' ? ', tls: { mode: SIMPLE, credentialName: b-cert }' : ''} }`,
  )
  .join('\n')}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: shared, namespace: shop, creationTimestamp: "2030-01-01T00:00:00Z" }
spec:
  hosts: ["*.example.com"]
  gateways: [shared]
  http: [{ route: [{ destination: { host: shop } }] }]
  tcp: [{ match: [{ port: 8999 }], route: [{ destination: { host: shop, port: { number: 80 } } }] }]
`,
});
const patch = (applyTo: string, operation: string, match: object | undefined, value?: object): object => ({
  applyTo,
  ...(match === undefined ? {} : { match }),
  patch: { operation, ...(value === undefined ? {} : { value }) },
});
const MANAGER = 'envoy.filters.network.http_connection_manager';
const inManager = (subFilter?: string): object => ({
  listener: { filterChain: { filter: { name: MANAGER, ...(subFilter === undefined ? {} : { subFilter: { name: subFilter } }) } } },
});
const LUA = {
  name: 'envoy.filters.http.lua',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua', inline_code: 'x' },
};
const ROUTER = 'envoy.filters.http.router';

const PROXY_HEADERS = {
  forwardedClientCert: 'SANITIZE_SET',
  setCurrentClientCertDetails: { subject: false, cert: true },
  requestId: { disabled: true },
  server: { value: 'mine' },
  attemptCount: { disabled: true },
  envoyDebugHeaders: { disabled: true },
};
const KEEPALIVE = { tcpKeepalive: { time: '20s', probes: 4 } };

export const FIELD_ROWS: readonly FieldRow[] = [
  patches(
    'lists that are replaced',
    'seed',
    patch(
      'CLUSTER',
      'MERGE_AND_REPLACE_LIST',
      { context: 'SIDECAR_OUTBOUND' },
      { circuit_breakers: { thresholds: [{ max_requests: 5 }] } },
    ),
    patch('VIRTUAL_HOST', 'MERGE_AND_REPLACE_LIST', undefined, { request_headers_to_remove: ['x'], domains: ['only.example.com'] }),
  ),
  mesh('nothing', 'seed', {}),
  mesh('proxyHeaders', 'traffic', { defaultConfig: { proxyHeaders: PROXY_HEADERS } }),
  mesh('proxyHeaders of gateways', 'gateway-merge', { defaultConfig: { proxyHeaders: PROXY_HEADERS } }),
  mesh('a server header that passes', 'seed', { defaultConfig: { proxyHeaders: { server: { disabled: true } } } }),
  mesh('serviceSettings', 'seed', { serviceSettings: [{ settings: { clusterLocal: true }, hosts: ['*.default.svc.cluster.local'] }] }),
  mesh('ALLOW_ANY_DYNAMIC_DNS', 'seed', { outboundTrafficPolicy: { mode: 'ALLOW_ANY_DYNAMIC_DNS' } }),
  mesh('ALLOW_ANY_DYNAMIC_DNS beside other settings', 'seed', {
    outboundTrafficPolicy: { mode: 'ALLOW_ANY_DYNAMIC_DNS', tls: { mode: 'DISABLE' } },
    ...KEEPALIVE,
    connectTimeout: '3s',
    accessLogFile: '/dev/stdout',
    defaultTrafficPolicy: { connectionPool: { tcp: { maxConnections: 7 } } },
  }),
  mesh('ALLOW_ANY_DYNAMIC_DNS with TLS', 'seed', { outboundTrafficPolicy: { mode: 'ALLOW_ANY_DYNAMIC_DNS', tls: { mode: 'SIMPLE' } } }),
  mesh('ALLOW_ANY_DYNAMIC_DNS with a server name of TLS', 'seed', {
    outboundTrafficPolicy: { mode: 'ALLOW_ANY_DYNAMIC_DNS', tls: { mode: 'SIMPLE', sni: 'a.example', subjectAltNames: ['b.example'] } },
  }),
  mesh('ALLOW_ANY_DYNAMIC_DNS with TLS that believes anybody', 'seed', {
    outboundTrafficPolicy: {
      mode: 'ALLOW_ANY_DYNAMIC_DNS',
      tls: { mode: 'MUTUAL', clientCertificate: '/c', privateKey: '/k', insecureSkipVerify: true },
    },
  }),
  mesh('ALLOW_ANY_DYNAMIC_DNS with the mesh certificates', 'seed', {
    outboundTrafficPolicy: { mode: 'ALLOW_ANY_DYNAMIC_DNS', tls: { mode: 'ISTIO_MUTUAL' } },
  }),
  mesh('defaultInboundHttpRetryPolicy, which istiod does not look at', 'seed', {
    defaultInboundHttpRetryPolicy: { attempts: 3, retryOn: 'reset' },
  }),
  mesh('defaultServiceExportTo', 'precedence', { defaultServiceExportTo: ['.'] }),
  mesh('defaultVirtualServiceExportTo', 'precedence', { defaultVirtualServiceExportTo: ['.'] }),
  mesh('defaultDestinationRuleExportTo', 'precedence', { defaultDestinationRuleExportTo: ['.'] }),
  mesh('the three of them', 'traffic', {
    defaultServiceExportTo: ['.'],
    defaultVirtualServiceExportTo: ['.'],
    defaultDestinationRuleExportTo: ['.'],
  }),
  mesh('meshMTLS', 'security', { meshMTLS: { minProtocolVersion: 'TLSV1_3', cipherSuites: ['ECDHE-RSA-AES256-GCM-SHA384'] } }),
  mesh('caCertificates with trust domains', 'security', {
    trustDomainAliases: ['old'],
    caCertificates: [{ trustDomains: ['partner.example', 'old', ''] }],
  }),
  mesh('gatewayTopology.proxyProtocol', 'gateway-merge', { defaultConfig: { gatewayTopology: { proxyProtocol: {} } } }),
  shared('HTTP behind TLS', '[a.example.com]', ['HTTP', 'HTTP', 'HTTPS']),
  shared('TCP behind TLS', '[a.example.com]', ['TCP', 'HTTP']),
  mesh('tlsDefaults at gateways', 'gateway-merge', {
    tlsDefaults: { minProtocolVersion: 'TLSV1_3', cipherSuites: ['ECDHE-RSA-AES256-GCM-SHA384'], ecdhCurves: ['P-256'] },
  }),
  mesh('tlsDefaults of origination', 'egress', { tlsDefaults: { minProtocolVersion: 'TLSV1_3', ecdhCurves: ['P-256'] } }),
  mesh('tcpKeepalive', 'seed', KEEPALIVE),
  mesh('tcpKeepalive under DestinationRules', 'traffic', KEEPALIVE),
  mesh('h2UpgradePolicy', 'ports-protocols', { h2UpgradePolicy: 'UPGRADE' }),
  mesh('h2UpgradePolicy under DestinationRules', 'traffic', { h2UpgradePolicy: 'UPGRADE' }),
  mesh('dnsRefreshRate', 'service-entries', { dnsRefreshRate: '5s' }),
  mesh('defaultTrafficPolicy', 'traffic', {
    defaultTrafficPolicy: { connectionPool: { http: { http2MaxRequests: 9 } }, outlierDetection: { consecutive5xxErrors: 7 } },
  }),
  mesh('defaultTrafficPolicy of external hosts', 'service-entries', {
    defaultTrafficPolicy: { connectionPool: { http: { http2MaxRequests: 9 } } },
  }),
  mesh('connectTimeout', 'seed', { connectTimeout: '3s' }),
  mesh('discoverySelectors by label', 'precedence', { discoverySelectors: [{ matchLabels: { 'kubernetes.io/metadata.name': 'client' } }] }),
  mesh('discoverySelectors by expression', 'precedence', {
    discoverySelectors: [{ matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['other'] }] }],
  }),
  mesh('forwardClientCertDetails', 'gateway-merge', { defaultConfig: { gatewayTopology: { forwardClientCertDetails: 'FORWARD_ONLY' } } }),
  mesh('forwardClientCertDetails that appends', 'gateway-merge', {
    defaultConfig: { gatewayTopology: { forwardClientCertDetails: 'APPEND_FORWARD', numTrustedProxies: 2 } },
  }),
  mesh('enableTracing', 'seed', { enableTracing: false }),
  mesh('tracing of defaultConfig', 'seed', {
    defaultConfig: {
      tracing: { sampling: 42, customTags: { a: { literal: { value: 'b' } } }, enableIstioTags: false, maxPathTagLength: 99 },
    },
  }),
  // One row only: the log of accessLogFile is kept by istiod's process from one case to the next.
  mesh('accessLogFile in JSON', 'seed', {
    accessLogFile: '/tmp/a',
    accessLogEncoding: 'JSON',
    accessLogFormat: '{"a":"%PROTOCOL%","b":{"c":1},"d":"%REQ_WITHOUT_QUERY(:PATH)%"}',
  }),
  mesh('the built-in provider with accessLogFormat', 'seed', {
    defaultProviders: { accessLogging: ['envoy'] },
    accessLogFormat: '%PROTOCOL%',
  }),
  mesh('a provider with an empty format', 'seed', {
    defaultProviders: { accessLogging: ['a', 'b'] },
    extensionProviders: [
      { name: 'b', envoyFileAccessLog: { path: '/tmp/b', logFormat: { labels: {} }, omitEmptyValues: true } },
      { name: 'a', envoyFileAccessLog: { logFormat: { text: 'x' } } },
    ],
  }),
  rule('retryBudget', '{ retryBudget: { percent: 25.5, minRetryConcurrency: 7 } }'),
  rule('retryBudget by default', '{ retryBudget: {} }'),
  rule('retryBudget beside a pool', '{ connectionPool: { http: { maxRetries: 5 } }, retryBudget: { percent: 10 } }'),
  rule(
    'retryBudget and settings of the port',
    '{ retryBudget: { percent: 10 }, portLevelSettings: [{ port: { number: 9080 }, connectionPool: { http: { maxRetries: 5 } } }] }',
  ),
  patches(
    'clusters',
    'traffic',
    patch(
      'CLUSTER',
      'MERGE',
      { cluster: { service: 'reviews.default.svc.cluster.local' } },
      {
        connect_timeout: '7s',
        circuit_breakers: { thresholds: [{ max_retries: 7 }] },
        lb_policy: 'MAGLEV',
      },
    ),
    patch('CLUSTER', 'MERGE', { context: 'SIDECAR_INBOUND', cluster: { portNumber: 9080 } }, { per_connection_buffer_limit_bytes: 7 }),
    patch('CLUSTER', 'REMOVE', { cluster: { subset: 'v2' } }),
    patch('CLUSTER', 'ADD', undefined, { name: 'added', type: 'STATIC', connect_timeout: '1s' }),
  ),
  patches(
    'HTTP filters',
    'seed',
    patch('HTTP_FILTER', 'INSERT_BEFORE', { context: 'SIDECAR_INBOUND', ...inManager(ROUTER) }, LUA),
    patch('HTTP_FILTER', 'INSERT_FIRST', { context: 'SIDECAR_OUTBOUND', ...inManager() }, LUA),
    patch('HTTP_FILTER', 'INSERT_AFTER', { context: 'GATEWAY', ...inManager('envoy.filters.http.cors') }, LUA),
    patch('HTTP_FILTER', 'REMOVE', { context: 'SIDECAR_OUTBOUND', ...inManager('envoy.filters.http.fault') }),
    patch('HTTP_FILTER', 'MERGE', inManager(ROUTER), {
      name: ROUTER,
      typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router', suppress_envoy_headers: true },
    }),
  ),
  patches(
    'network filters',
    'seed',
    patch(
      'NETWORK_FILTER',
      'MERGE',
      { listener: { filterChain: { filter: { name: MANAGER } } } },
      {
        name: MANAGER,
        typed_config: {
          '@type': `type.googleapis.com/${MANAGER.replace('filters.network', 'extensions.filters.network')}.v3.HttpConnectionManager`,
          stream_idle_timeout: '9s',
          server_name: 'patched',
          merge_slashes: true,
        },
      },
    ),
    patch(
      'NETWORK_FILTER',
      'INSERT_BEFORE',
      { context: 'SIDECAR_INBOUND', listener: { filterChain: { filter: { name: MANAGER } } } },
      {
        name: 'envoy.filters.network.rbac',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC', stat_prefix: 'patched' },
      },
    ),
  ),
  patches(
    'listeners',
    'seed',
    patch('LISTENER', 'MERGE', { listener: { portNumber: 9080 } }, { per_connection_buffer_limit_bytes: 9000 }),
    patch('LISTENER', 'REMOVE', { context: 'SIDECAR_OUTBOUND', listener: { name: '0.0.0.0_80' } }),
    patch('LISTENER_FILTER', 'REMOVE', { listener: { listenerFilter: 'envoy.filters.listener.http_inspector' } }),
    patch(
      'FILTER_CHAIN',
      'MERGE',
      { context: 'SIDECAR_INBOUND', listener: { portNumber: 9080 } },
      { transport_socket_connect_timeout: '9s' },
    ),
  ),
  patches(
    'routes',
    'traffic',
    patch(
      'ROUTE_CONFIGURATION',
      'MERGE',
      { routeConfiguration: { portNumber: 9080 } },
      {
        response_headers_to_add: [{ header: { key: 'x-patched', value: 'yes' } }],
      },
    ),
    patch(
      'VIRTUAL_HOST',
      'MERGE',
      { routeConfiguration: { vhost: { name: 'reviews.default.svc.cluster.local:9080' } } },
      {
        request_headers_to_remove: ['x-gone'],
      },
    ),
    patch('VIRTUAL_HOST', 'REMOVE', { routeConfiguration: { vhost: { domainName: 'ratings' } } }),
    patch(
      'VIRTUAL_HOST',
      'ADD',
      { context: 'SIDECAR_OUTBOUND', routeConfiguration: { name: '9080' } },
      { name: 'added', domains: ['added'] },
    ),
    patch('HTTP_ROUTE', 'MERGE', { routeConfiguration: { vhost: { route: { action: 'ROUTE' } } } }, { route: { timeout: '9s' } }),
    patch('HTTP_ROUTE', 'INSERT_FIRST', { context: 'SIDECAR_OUTBOUND' }, { match: { path: '/patched' }, direct_response: { status: 418 } }),
  ),
  {
    name: 'VirtualService: mirror_percent',
    mesh: 'seed',
    yaml: `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: fields, namespace: default, creationTimestamp: "2020-01-01T00:00:00Z" }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews } }], mirror: { host: ratings }, mirror_percent: 30 }] }
`,
  },
  originating('a Secret', { mode: 'MUTUAL', credentialName: 'cert' }),
  originating('a Secret for clients by labels', { mode: 'MUTUAL', credentialName: 'cert', subjectAltNames: ['a'] }, true),
  originating('a Secret with the roots only', { mode: 'SIMPLE', credentialName: 'cert' }, true),
  originating('a Secret, and any server', { mode: 'MUTUAL', credentialName: 'cert', insecureSkipVerify: true }, true),
  originating('a ConfigMap with roots', { mode: 'SIMPLE', credentialName: 'configmap://default/roots' }),
  originating('any server', { mode: 'SIMPLE', insecureSkipVerify: true }),
  originating('any server, with a certificate', {
    mode: 'MUTUAL',
    clientCertificate: '/c',
    privateKey: '/k',
    insecureSkipVerify: true,
    sni: 'x',
  }),
  originating('revocation lists', { mode: 'SIMPLE', caCertificates: '/ca', caCrl: '/crl', subjectAltNames: ['a'] }),
  selecting('clients by labels', { labels: { app: 'productpage' } }),
  selecting('clients by labels, some of them', { labels: { app: 'productpage', version: 'v1' } }, {}),
  selecting('clients that are not there', { labels: { app: 'nobody' } }),
  selecting('clients by the same labels twice', { labels: { app: 'productpage' } }, { labels: { app: 'productpage' } }),
  selecting('clients by labels, and a rule of the namespace alone', { labels: { app: 'productpage' } }, { exportTo: ['.'] }),
  {
    name: 'DestinationRule: subsets by place',
    mesh: 'locality',
    yaml: `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: places, namespace: geo, creationTimestamp: "2020-01-01T00:00:00Z" }
spec:
  host: plain
  subsets:
    - { name: region, labels: { topology.kubernetes.io/region: region2 } }
    - { name: zone, labels: { version: v1, topology.kubernetes.io/zone: zone1 } }
    - { name: subzone, labels: { topology.istio.io/subzone: sub2 } }
    - { name: host, labels: { kubernetes.io/hostname: node-zone1-sub1 } }
`,
  },
  patches(
    'gateways',
    'gateway-merge',
    patch(
      'VIRTUAL_HOST',
      'MERGE',
      { context: 'GATEWAY', routeConfiguration: { portNumber: 80 } },
      { request_headers_to_remove: ['x-gone'] },
    ),
    patch(
      'HTTP_ROUTE',
      'MERGE',
      { context: 'GATEWAY', routeConfiguration: { portNumber: 443 } },
      { response_headers_to_remove: ['x-gone'] },
    ),
    patch('LISTENER', 'MERGE', { context: 'GATEWAY' }, { listener_filters_timeout: '9s' }),
  ),
  ...['seed', 'gateway-merge', 'ports-protocols', 'security'].flatMap((on): FieldRow[] => [
    plugins(
      `phases and priorities (${on})`,
      on,
      {},
      { priority: 5 },
      { phase: 'STATS' },
      { phase: 'AUTHZ' },
      { phase: 'AUTHN' },
      { phase: 'AUTHN', priority: 1 },
    ),
    // istiod gives them to the first HTTPS server of a gateway alone.
    ...(on === 'gateway-merge'
      ? []
      : [
          plugins(
            `of connections (${on})`,
            on,
            { type: 'NETWORK', phase: 'AUTHN' },
            { type: 'NETWORK' },
            { type: 'NETWORK', phase: 'AUTHZ' },
          ),
        ]),
    plugins(
      `one side (${on})`,
      on,
      { match: [{ mode: 'CLIENT' }] },
      { match: [{ mode: 'SERVER' }] },
      { type: 'NETWORK', match: [{ mode: 'SERVER' }] },
    ),
    plugins(
      `ports (${on})`,
      on,
      { match: [{ ports: [{ number: 80 }] }] },
      {
        match: [
          { mode: 'SERVER', ports: [{ number: 9080 }] },
          { mode: 'CLIENT', ports: [{ number: 443 }, { number: 9080 }] },
        ],
      },
      { type: 'NETWORK', match: [{ ports: [{ number: 80 }] }] },
      { type: 'NETWORK', match: [{ mode: 'CLIENT_AND_SERVER', ports: [{ number: 9080 }] }] },
    ),
  ]),
  plugins(
    'where modules come from',
    'seed',
    { url: 'registry.example/p:1' },
    { url: 'file:///opt/filters/p.wasm', type: 'HTTP' },
    { url: 'https://example.com/p.wasm?a=b', sha256: 'a'.repeat(64) },
    { url: 'http://example.com:8080/p.wasm', type: 'NETWORK', sha256: '' },
  ),
  plugins(
    'what they are told',
    'seed',
    { pluginConfig: { b: [1, 2.5, 'x'], a: { d: true, c: 'x' }, f: {} }, pluginName: 'root' },
    { pluginConfig: {}, failStrategy: 'FAIL_OPEN' },
    { failStrategy: 'FAIL_RELOAD', imagePullPolicy: 'Always' },
    { failStrategy: 'FAIL_CLOSE', imagePullPolicy: 'IfNotPresent', imagePullSecret: 'pull' },
    {
      vmConfig: {
        env: [
          { name: 'A', value: 'b' },
          { name: 'C', valueFrom: 'HOST' },
          { name: 'D', valueFrom: 'INLINE' },
        ],
      },
    },
  ),
  plugins(
    'for some workloads',
    'seed',
    { selector: { matchLabels: { app: 'productpage' } } },
    { selector: { matchLabels: { istio: 'ingressgateway' } }, phase: 'AUTHZ' },
    { selector: { matchLabels: { app: 'nobody' } } },
    { targetRefs: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gateway' }] },
  ),
  plugins('for a Gateway of the Gateway API', 'gateway-api-ingress', { phase: 'STATS' }, { selector: { matchLabels: {} } }),
  {
    name: 'TrafficExtension: Wasm and Lua, in two namespaces',
    mesh: 'seed',
    yaml: [
      { name: 'wasm', namespace: 'default', spec: { phase: 'AUTHN', priority: 3, wasm: { url: 'oci://a/b:1', pluginConfig: { x: 1 } } } },
      {
        name: 'lua',
        namespace: 'istio-system',
        spec: { match: [{ mode: 'CLIENT' }], lua: { inlineCode: 'function envoy_on_request(h) end' } },
      },
      { name: 'none', namespace: 'elsewhere', spec: { wasm: { url: 'oci://a/c:1' } } },
      { name: 'bytes', namespace: 'default', spec: { phase: 'STATS', priority: -1, wasm: { url: 'oci://a/d:1', type: 'NETWORK' } } },
    ]
      .map(
        ({ name, namespace, spec }) => `apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
metadata: { name: ${name}, namespace: ${namespace}, creationTimestamp: "2020-01-01T00:00:00Z" }
spec: ${JSON.stringify(spec)}
`,
      )
      .join('---\n'),
  },
];
