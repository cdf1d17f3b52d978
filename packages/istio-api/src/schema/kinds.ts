import {
  any,
  bool,
  choice,
  duration,
  type Fields,
  ignored,
  list,
  map,
  number,
  object,
  percentNumber,
  port,
  refused,
  type Schema,
  text,
} from './schema.ts';

const stringMatch = object({ exact: text, prefix: text, regex: text }, [], [['exact', 'prefix', 'regex']]);
const portSelector = object({ number: port });
const destination = object({ host: text, subset: text, port: portSelector }, ['host']);
const operations = object({ set: map(text), add: map(text), remove: list(text) });
const headers = object({ request: operations, response: operations });
const percent = object({ value: percentNumber });
const labels = map(text);

const httpMatch = object({
  name: text,
  uri: stringMatch,
  scheme: stringMatch,
  method: stringMatch,
  authority: stringMatch,
  headers: map(stringMatch),
  withoutHeaders: map(stringMatch),
  queryParams: map(stringMatch),
  ignoreUriCase: bool,
  port,
  sourceLabels: labels,
  sourceNamespace: text,
  gateways: list(text),
  statPrefix: ignored(text),
});

const httpRoute = object(
  {
    name: text,
    match: list(httpMatch),
    route: list(object({ destination, weight: { type: 'number', support: 'yes', min: 0 }, headers }, ['destination'])),
    redirect: object({
      uri: text,
      authority: text,
      port,
      derivePort: choice('FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'),
      scheme: text,
      redirectCode: number,
    }),
    directResponse: object(
      {
        status: { type: 'number', support: 'yes', min: 200, max: 599 },
        body: object({ string: text, bytes: text }, [], [['string', 'bytes']]),
      },
      ['status'],
    ),
    delegate: object({ name: text, namespace: text }),
    rewrite: object({ uri: text, authority: text, uriRegexRewrite: object({ match: text, rewrite: text }) }),
    timeout: duration,
    retries: object({
      attempts: { type: 'number', support: 'yes', min: 0 },
      perTryTimeout: duration,
      retryOn: text,
      retryRemoteLocalities: bool,
      retryIgnorePreviousHosts: bool,
      backoff: duration,
    }),
    fault: object({
      delay: object({ fixedDelay: duration, percentage: percent, percent: percentNumber, exponentialDelay: refused(duration) }),
      abort: object({
        httpStatus: { type: 'number', support: 'yes', min: 200, max: 599 },
        grpcStatus: text,
        http2Error: refused(text),
        percentage: percent,
      }),
    }),
    mirror: destination,
    mirrors: list(object({ destination, percentage: percent }, ['destination'])),
    mirrorPercentage: percent,
    mirrorPercent: percentNumber,
    mirror_percent: percentNumber,
    corsPolicy: object({
      allowOrigins: list(stringMatch),
      allowOrigin: list(text),
      allowMethods: list(text),
      allowHeaders: list(text),
      exposeHeaders: list(text),
      maxAge: duration,
      allowCredentials: bool,
      unmatchedPreflights: choice('UNSPECIFIED', 'FORWARD', 'IGNORE'),
    }),
    headers,
  },
  [],
  [['route', 'redirect', 'directResponse', 'delegate']],
);

const loadBalancer = object(
  {
    simple: choice('UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'),
    consistentHash: object({
      httpHeaderName: text,
      httpCookie: object({ name: text, path: text, ttl: text, attributes: ignored(list(any)) }),
      useSourceIp: bool,
      httpQueryParameterName: text,
      ringHash: object({ minimumRingSize: number }),
      maglev: object({ tableSize: number }),
      minimumRingSize: number,
    }),
    localityLbSetting: ignored(any),
    warmup: ignored(any),
    warmupDurationSecs: ignored(any),
  },
  [],
  [['simple', 'consistentHash']],
);
const connectionPool = object({
  tcp: object({
    maxConnections: number,
    connectTimeout: duration,
    idleTimeout: duration,
    maxConnectionDuration: duration,
    tcpKeepalive: object({ time: duration, interval: duration, probes: number }),
  }),
  http: object({
    http1MaxPendingRequests: number,
    http2MaxRequests: number,
    maxRequestsPerConnection: number,
    maxRetries: number,
    idleTimeout: duration,
    h2UpgradePolicy: choice('DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE'),
    useClientProtocol: ignored(bool),
    maxConcurrentStreams: number,
    http2KeepAlive: ignored(any),
  }),
});
const outlierDetection = object({
  splitExternalLocalOriginErrors: bool,
  consecutiveLocalOriginFailures: number,
  consecutiveGatewayErrors: number,
  consecutive5xxErrors: number,
  consecutiveErrors: ignored(number),
  interval: duration,
  baseEjectionTime: duration,
  maxEjectionPercent: percentNumber,
  minHealthPercent: percentNumber,
  outlierDetectionHttpErrorCodes: ignored(any),
});
const clientTls = object({
  mode: choice('DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'),
  clientCertificate: text,
  privateKey: text,
  caCertificates: text,
  caCrl: refused(text),
  credentialName: refused(text),
  subjectAltNames: list(text),
  sni: text,
  insecureSkipVerify: refused(bool),
});
const portPolicy: Fields = { loadBalancer, connectionPool, outlierDetection, tls: clientTls };
const trafficPolicy = object({
  ...portPolicy,
  portLevelSettings: list(object({ port: portSelector, ...portPolicy })),
  tunnel: refused(any),
  proxyProtocol: refused(any),
  retryBudget: ignored(any),
});

const workloadEntry: Fields = {
  address: text,
  ports: map(port),
  labels,
  network: ignored(text),
  locality: text,
  weight: number,
  serviceAccount: text,
};
const selector = object({ matchLabels: labels });
const mtls = object({ mode: choice('UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT') });
const texts = list(text);

const source = object({
  principals: texts,
  notPrincipals: texts,
  requestPrincipals: texts,
  notRequestPrincipals: texts,
  namespaces: texts,
  notNamespaces: texts,
  serviceAccounts: texts,
  notServiceAccounts: texts,
  ipBlocks: texts,
  notIpBlocks: texts,
  remoteIpBlocks: texts,
  notRemoteIpBlocks: texts,
  trustDomains: refused(texts),
  notTrustDomains: refused(texts),
});
const operation = object({
  hosts: texts,
  notHosts: texts,
  ports: texts,
  notPorts: texts,
  methods: texts,
  notMethods: texts,
  paths: texts,
  notPaths: texts,
});

/** What the control plane does with a kind. */
export type KindStatus = 'used' | 'ignored' | 'refused';

export interface Kind {
  readonly kind: string;
  readonly group: string;
  readonly versions: readonly string[];
  readonly namespaced: boolean;
  readonly status: KindStatus;
  /** Undefined = the spec is not looked into. */
  readonly spec?: Schema;
}

const NETWORKING = { group: 'networking.istio.io', versions: ['v1', 'v1beta1', 'v1alpha3'], namespaced: true };
const SECURITY = { group: 'security.istio.io', versions: ['v1', 'v1beta1'], namespaced: true };
const CORE = { group: '', versions: ['v1'], namespaced: true, status: 'used' as const };

/** Every kind that is known, and what becomes of it. */
export const KINDS: readonly Kind[] = [
  {
    ...NETWORKING,
    kind: 'VirtualService',
    status: 'used',
    spec: object({
      hosts: texts,
      gateways: texts,
      http: list(httpRoute),
      tls: ignored(list(any)),
      tcp: ignored(list(any)),
      exportTo: texts,
    }),
  },
  {
    ...NETWORKING,
    kind: 'DestinationRule',
    status: 'used',
    spec: object(
      {
        host: text,
        subsets: list(object({ name: text, labels, trafficPolicy }, ['name'])),
        trafficPolicy,
        exportTo: texts,
        workloadSelector: refused(any),
      },
      ['host'],
    ),
  },
  {
    ...NETWORKING,
    kind: 'Gateway',
    status: 'used',
    spec: object({
      selector: labels,
      servers: list(
        object(
          {
            port: object({ number: port, protocol: text, name: text, targetPort: ignored(port) }, ['number', 'protocol']),
            hosts: texts,
            name: text,
            bind: ignored(text),
            defaultEndpoint: ignored(text),
            tls: object({
              mode: text,
              credentialName: text,
              httpsRedirect: bool,
              serverCertificate: ignored(text),
              privateKey: ignored(text),
              caCertificates: ignored(text),
              minProtocolVersion: text,
              maxProtocolVersion: text,
              subjectAltNames: texts,
              cipherSuites: texts,
            }),
          },
          ['port', 'hosts'],
        ),
      ),
    }),
  },
  {
    ...NETWORKING,
    kind: 'ServiceEntry',
    status: 'used',
    spec: object(
      {
        hosts: texts,
        addresses: texts,
        ports: list(object({ number: port, protocol: text, name: text, targetPort: port }, ['number', 'name'])),
        location: choice('MESH_EXTERNAL', 'MESH_INTERNAL'),
        resolution: choice('NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'),
        endpoints: list(object(workloadEntry)),
        workloadSelector: object({ labels }),
        exportTo: texts,
        subjectAltNames: texts,
      },
      ['hosts'],
      [['endpoints', 'workloadSelector']],
    ),
  },
  { ...NETWORKING, kind: 'WorkloadEntry', status: 'used', spec: object(workloadEntry, ['address']) },
  { ...NETWORKING, kind: 'Sidecar', status: 'ignored' },
  { ...NETWORKING, kind: 'WorkloadGroup', status: 'ignored' },
  { ...NETWORKING, kind: 'ProxyConfig', status: 'ignored' },
  { ...NETWORKING, kind: 'EnvoyFilter', status: 'refused' },
  { ...SECURITY, kind: 'PeerAuthentication', status: 'used', spec: object({ selector, mtls, portLevelMtls: map(mtls) }) },
  { ...SECURITY, kind: 'RequestAuthentication', status: 'refused' },
  {
    ...SECURITY,
    kind: 'AuthorizationPolicy',
    status: 'used',
    spec: object({
      selector,
      targetRef: refused(any),
      targetRefs: refused(any),
      action: choice('ALLOW', 'DENY', 'AUDIT', 'CUSTOM'),
      provider: object({ name: text }),
      rules: list(
        object({
          from: list(object({ source }, ['source'])),
          to: list(object({ operation }, ['operation'])),
          when: list(object({ key: text, values: texts, notValues: texts }, ['key'])),
        }),
      ),
    }),
  },
  { kind: 'Telemetry', group: 'telemetry.istio.io', versions: ['v1', 'v1alpha1'], namespaced: true, status: 'ignored' },
  { kind: 'WasmPlugin', group: 'extensions.istio.io', versions: ['v1alpha1'], namespaced: true, status: 'refused' },
  ...['GatewayClass', 'Gateway', 'HTTPRoute', 'GRPCRoute', 'ReferenceGrant', 'BackendTLSPolicy', 'TLSRoute', 'TCPRoute', 'UDPRoute'].map(
    (kind): Kind => ({
      kind,
      group: 'gateway.networking.k8s.io',
      versions: ['v1', 'v1beta1', 'v1alpha2', 'v1alpha3'],
      namespaced: kind !== 'GatewayClass',
      status: 'refused',
    }),
  ),
  ...['Service', 'ServiceAccount', 'Pod', 'Secret', 'ConfigMap'].map((kind): Kind => ({ ...CORE, kind })),
  ...['Namespace', 'Node'].map((kind): Kind => ({ ...CORE, kind, namespaced: false })),
  { kind: 'EndpointSlice', group: 'discovery.k8s.io', versions: ['v1'], namespaced: true, status: 'used' },
  { kind: 'MeshConfig', group: 'ripstop.dev', versions: ['v1'], namespaced: false, status: 'used' },
];

/** The entry of a kind; undefined for kinds that belong to others (Deployment, CronJob, …), which are left alone. */
export function kindOf(apiVersion: string, kind: string): Kind | undefined {
  const slash = apiVersion.indexOf('/');
  const group = slash === -1 ? '' : apiVersion.slice(0, slash);
  return KINDS.find((entry) => entry.kind === kind && entry.group === group);
}
