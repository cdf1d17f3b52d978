/** One field, or a few that belong together, upon a recorded mesh. */
export interface FieldRow {
  readonly name: string;
  /** A case of the recordings. */
  readonly mesh: string;
  /** MeshConfig in the place of the case's own. */
  readonly config?: string;
  /** Documents beside the case's. */
  readonly yaml?: string;
  /** What differs on purpose: `<node> <list> <resource>: …`. */
  readonly known?: RegExp;
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

const KEEPALIVE = { tcpKeepalive: { time: '20s', probes: 4 } };

export const FIELD_ROWS: readonly FieldRow[] = [
  mesh('nothing', 'seed', {}),
  mesh('defaultServiceExportTo', 'precedence', { defaultServiceExportTo: ['.'] }),
  mesh('defaultVirtualServiceExportTo', 'precedence', { defaultVirtualServiceExportTo: ['.'] }),
  mesh('defaultDestinationRuleExportTo', 'precedence', { defaultDestinationRuleExportTo: ['.'] }),
  mesh('the three of them', 'traffic', {
    defaultServiceExportTo: ['.'],
    defaultVirtualServiceExportTo: ['.'],
    defaultDestinationRuleExportTo: ['.'],
  }),
  mesh('meshMTLS', 'security', { meshMTLS: { minProtocolVersion: 'TLSV1_3', cipherSuites: ['ECDHE-RSA-AES256-GCM-SHA384'] } }),
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
];
