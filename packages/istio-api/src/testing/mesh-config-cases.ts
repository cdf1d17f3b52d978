/** A bare MeshConfig, as istiod's validation judges it: `test/interop/istiod-validation.test.ts` asks istiod itself. */
export interface MeshConfigCase {
  /** What it is about, as the end of a sentence. */
  readonly what: string;
  /** In flow YAML. */
  readonly mesh: string;
  /** Where the finding stands, and a part of its text; undefined: it is right. */
  readonly refused?: readonly [path: string, text: string];
}

const mesh = (what: string, fields: string, path?: string, text = ''): MeshConfigCase => ({
  what,
  mesh: `{ ${fields} }`,
  ...(path === undefined ? {} : { refused: [`spec.${path}`, text] }),
});

/** Of `defaultConfig`. */
const proxy = (what: string, fields: string, path?: string, text = ''): MeshConfigCase =>
  mesh(what, `defaultConfig: { ${fields} }`, path === undefined ? undefined : `defaultConfig${path}`, text);

const pool = (what: string, fields: string, path?: string, text = ''): MeshConfigCase =>
  mesh(what, `defaultTrafficPolicy: { ${fields} }`, path === undefined ? undefined : `defaultTrafficPolicy${path}`, text);

const locality = (what: string, fields: string, path?: string, text = ''): MeshConfigCase =>
  mesh(what, `localityLbSetting: { ${fields} }`, path === undefined ? undefined : `localityLbSetting${path}`, text);

const MESH: readonly MeshConfigCase[] = [
  mesh('nothing in it', ''),
  mesh('null, which is nothing', 'trustDomain: null, defaultConfig: null, localityLbSetting: { enabled: null, failover: null }'),
  mesh('a trust domain', 'trustDomain: corp.example, trustDomainAliases: [old, old.example.]'),
  mesh('an empty trust domain', 'trustDomain: ""', 'trustDomain', 'is no trust domain'),
  mesh('a trust domain with a slash', 'trustDomain: a/b', 'trustDomain', 'is no trust domain'),
  mesh('a trust domain that is a number', 'trustDomain: "10.20"'),
  mesh('an alias that is none', 'trustDomainAliases: [good, "*.bad"]', 'trustDomainAliases[1]', 'is no trust domain'),
  mesh('an alias that is no text', 'trustDomainAliases: [1]', 'trustDomainAliases[0]', 'must be text'),
  mesh('a list that is none', 'trustDomainAliases: old', 'trustDomainAliases', 'must be a list'),
  mesh('a port of nothing', 'proxyListenPort: 0', 'proxyListenPort', '0 is no port'),
  mesh('a port that is too high', 'proxyListenPort: 65536', 'proxyListenPort', '65536 is no port'),
  mesh('a port that nobody checks', 'proxyInboundListenPort: 0, proxyHttpPort: -1'),
  mesh('a short connect timeout', 'connectTimeout: 500us', 'connectTimeout', 'too short'),
  mesh('no connect timeout', 'connectTimeout: 0s', 'connectTimeout', 'too short'),
  mesh('an exact connect timeout', 'connectTimeout: 1.0005s', 'connectTimeout', 'whole milliseconds'),
  mesh('a connect timeout of an hour', 'connectTimeout: 1h'),
  mesh('a connect timeout of more', 'connectTimeout: 1h1ms', 'connectTimeout', 'at most 1h'),
  mesh('a connect timeout without a unit', 'connectTimeout: "10"', 'connectTimeout', 'is no duration'),
  mesh('a connect timeout that is a number', 'connectTimeout: 10', 'connectTimeout', 'must be text'),
  mesh('no time to detect protocols', 'protocolDetectionTimeout: 0s'),
  mesh('a time of less than none to detect protocols', 'protocolDetectionTimeout: -5s'),
  mesh('an exact time to detect protocols', 'protocolDetectionTimeout: 1500us', 'protocolDetectionTimeout', 'whole milliseconds'),
  mesh('durations that nobody checks', 'hboneIdleTimeout: 0s'),
  mesh('a bool in quotes', 'enableTracing: "true"', 'enableTracing', 'must be true or false'),
  mesh('an unknown mode', 'outboundTrafficPolicy: { mode: DENY_ALL }', 'outboundTrafficPolicy.mode', 'is not one of ALLOW_ANY'),
  mesh('an unknown encoding', 'accessLogEncoding: XML', 'accessLogEncoding', 'is not one of TEXT'),
  mesh('an unknown policy of HTTP/2', 'h2UpgradePolicy: DEFAULT', 'h2UpgradePolicy', 'is not one of'),
  mesh('an old version of TLS', 'meshMTLS: { minProtocolVersion: TLSV1_1 }', 'meshMTLS.minProtocolVersion', 'is not one of'),
  mesh('curves of mTLS', 'meshMTLS: { ecdhCurves: [P-256] }', 'meshMTLS.ecdhCurves', 'does not support ECDH curves'),
  mesh('curves of TLS', 'tlsDefaults: { ecdhCurves: [P-256, P-256, unknown] }'),
  mesh('cluster-local services', 'serviceSettings: [{ settings: { clusterLocal: true }, hosts: ["*.a.svc.cluster.local", "*"] }]'),
  mesh('a cluster-local host that is none', 'serviceSettings: [{ hosts: [a, "a.*"] }]', 'serviceSettings[0].hosts[1]', 'is no host'),
  mesh('an empty cluster-local host', 'serviceSettings: [{ hosts: [""] }]', 'serviceSettings[0].hosts[0]', 'must not be empty'),
  mesh('selectors', 'discoverySelectors: [{ matchLabels: { a: b } }, { matchExpressions: [{ key: a, operator: Exists }] }]'),
  mesh('two providers of one name', 'extensionProviders: [{ name: a, zipkin: { service: z, port: 1 } }, { name: a, prometheus: {} }]'),
  mesh(
    'a mode of INHERIT',
    'defaultConfig: { controlPlaneAuthPolicy: INHERIT }',
    'defaultConfig.controlPlaneAuthPolicy',
    'there is nothing to inherit',
  ),
  mesh(
    'a zone among the labels of zone-aware balancing',
    'zoneAwareLbSetting: { failoverPriority: [topology.kubernetes.io/zone] }',
    'zoneAwareLbSetting.failoverPriority[0]',
    'zones and regions are looked at anyway',
  ),
  mesh(
    'zone-aware failover to the same region',
    'zoneAwareLbSetting: { failover: [{ from: a, to: a }] }',
    'zoneAwareLbSetting.failover[0]',
    'the same region',
  ),
];

const LOCALITY: readonly MeshConfigCase[] = [
  locality('failover', 'failover: [{ from: a, to: b }]'),
  locality('failover to the same region', 'failover: [{ from: a, to: a }]', '.failover[0]', 'the same region'),
  locality('failover to a zone', 'failover: [{ from: a, to: b/c }]', '.failover[0]', 'from region to region'),
  locality('failover to any region', 'failover: [{ from: a, to: "*" }]', '.failover[0]', 'from region to region'),
  locality(
    'shares and failover',
    'distribute: [{ from: a, to: { a: 100 } }], failover: [{ from: a, to: b }]',
    '.failover',
    'give distribute or failover',
  ),
  locality('shares', 'distribute: [{ from: "a/*", to: { "a/b/*": 60, c: 40 } }]'),
  locality('shares of 99', 'distribute: [{ from: a, to: { a: 99 } }]', '.distribute[0].to', 'add up to 99'),
  locality('a share of 0', 'distribute: [{ from: a, to: { a: 0, b: 100 } }]', '.distribute[0].to.a', '0 is no share'),
  locality('places that overlap', 'distribute: [{ from: a, to: { a: 100 } }, { from: a/b, to: { b: 100 } }]', '.distribute', 'overlap'),
  locality(
    'an order of regions twice',
    'failover: [{ from: a, to: b }], failoverPriority: [topology.kubernetes.io/region]',
    '.failoverPriority',
    'orders regions already',
  ),
];

const POOLS: readonly MeshConfigCase[] = [
  pool('limits', 'connectionPool: { tcp: { maxConnections: 10, idleTimeout: 1h } }, outlierDetection: { interval: 5s }'),
  pool('no limit', 'connectionPool: {}', '.connectionPool', 'it limits nothing'),
  pool('a limit below 0', 'connectionPool: { tcp: { maxConnections: -1 } }', '.connectionPool.tcp.maxConnections', 'out of range'),
  pool('no idle time of HTTP', 'connectionPool: { http: { idleTimeout: 0s } }', '.connectionPool.http.idleTimeout', 'too short'),
  pool(
    'HTTP/2 for who speaks what it wants',
    'connectionPool: { http: { h2UpgradePolicy: UPGRADE, useClientProtocol: true } }',
    '.connectionPool.http.useClientProtocol',
    'remove one',
  ),
  pool(
    'local failures that are not split',
    'outlierDetection: { consecutiveLocalOriginFailures: 1 }',
    '.outlierDetection.consecutiveLocalOriginFailures',
    'splitExternalLocalOriginErrors',
  ),
  pool('more than all ejected', 'outlierDetection: { maxEjectionPercent: 101 }', '.outlierDetection.maxEjectionPercent', 'out of range'),
  pool('no time of ejection', 'outlierDetection: { baseEjectionTime: 0s }', '.outlierDetection.baseEjectionTime', 'too short'),
];

const PROXY: readonly MeshConfigCase[] = [
  proxy('what installers write', 'discoveryAddress: istiod.istio-system.svc:15012, tracing: { zipkin: { address: "zipkin:9411" } }'),
  proxy('an empty path', 'configPath: ""', '.configPath', 'must not be empty'),
  proxy('an empty address of istiod', 'discoveryAddress: ""', '.discoveryAddress', 'must not be empty'),
  proxy('an address without a port', 'discoveryAddress: istiod', '.discoveryAddress', 'give host:port'),
  proxy('an address of IPv6', 'discoveryAddress: "[::1]:15012"'),
  proxy('an address of IPv6 without brackets', 'discoveryAddress: "::1:15012"', '.discoveryAddress', 'give host:port'),
  proxy('a port of letters', 'statsdUdpAddress: "a:http"', '.statsdUdpAddress', 'give host:port'),
  proxy('an address of a bad name', 'envoyMetricsService: { address: "a_b:80" }', '.envoyMetricsService.address', 'give host:port'),
  proxy('no address of an access log', 'envoyAccessLogService: { address: "" }'),
  proxy('whole seconds to drain', 'drainDuration: 1m30s, terminationDrainDuration: 0s'),
  proxy('half a second to drain', 'drainDuration: 1500ms', '.drainDuration', 'whole seconds'),
  proxy('no time to drain', 'drainDuration: 0s', '.drainDuration', 'whole seconds'),
  proxy('a status port that is none', 'statusPort: 70000', '.statusPort', '70000 is no port'),
  proxy('an admin port that is none', 'proxyAdminPort: 0', '.proxyAdminPort', '0 is no port'),
  proxy('a collector without an address', 'tracing: { zipkin: {} }', '.tracing.zipkin.address', 'give host:port'),
  proxy('a collector on the machine', 'tracing: { datadog: { address: "$(HOST_IP):8126" } }'),
  proxy('a collector without a token', 'tracing: { lightstep: { address: "a:80" } }', '.tracing.lightstep.accessToken', 'access token'),
  proxy(
    'a collector of mTLS without a key',
    'tracing: { tlsSettings: { mode: MUTUAL, clientCertificate: /c } }',
    '.tracing.tlsSettings',
    'needs privateKey',
  ),
  proxy('no provider of keys', 'privateKeyProvider: {}', '.privateKeyProvider', 'names no provider'),
  proxy('a provider that does not wait', 'privateKeyProvider: { qat: { pollDelay: 0s } }', '.privateKeyProvider.qat.pollDelay', 'such as'),
  proxy('a provider of keys', 'privateKeyProvider: { cryptomb: { pollDelay: 10ms, fallback: true } }'),
  proxy('settings of connections', 'connectionSettings: { profile: EDGE, httpIdleTimeout: 0s, httpMaxConcurrentStreams: 1 }'),
  proxy('no streams', 'connectionSettings: { httpMaxConcurrentStreams: 0 }', '.connectionSettings.httpMaxConcurrentStreams', 'at least 1'),
  proxy(
    'a small window',
    'connectionSettings: { http2InitialStreamWindowSize: 65534 }',
    '.connectionSettings.http2InitialStreamWindowSize',
    'at least 65535',
  ),
  proxy('a time before now', 'connectionSettings: { httpIdleTimeout: -1s }', '.connectionSettings.httpIdleTimeout', 'in the past'),
  proxy(
    'a way of certificates that is none',
    'gatewayTopology: { forwardClientCertDetails: ALL }',
    '.gatewayTopology.forwardClientCertDetails',
    'is not one of',
  ),
  proxy('headers of a proxy', 'proxyHeaders: { server: { disabled: true, value: x }, attemptCount: { disabled: true } }'),
  proxy('a header that is a text', 'proxyHeaders: { attemptCount: true }', '.proxyHeaders.attemptCount', 'must be an object'),
];

/** Istio's ValidateMeshConfig, one rule after the other. */
export const MESH_CONFIG_CASES: readonly MeshConfigCase[] = [...MESH, ...LOCALITY, ...POOLS, ...PROXY];
