import { selector, texts } from './common.ts';
import { type Kind, NETWORKING } from './kind.ts';
import {
  anyDuration,
  bool,
  choice,
  count,
  duration,
  durationOrNone,
  exactDuration,
  type Fields,
  ignored,
  int32,
  integer,
  list,
  map,
  noted,
  nullable,
  number,
  object,
  percentNumber,
  refused,
  type Schema,
  smallCount,
  text,
  wholePercent,
} from './schema.ts';

const failover = list(object({ from: text, to: text }));
export const locality: Schema = object({
  enabled: nullable(bool),
  distribute: list(object({ from: text, to: map(count) })),
  failover,
  failoverPriority: texts,
});
export const zoneAware: Schema = object({
  enabled: nullable(bool),
  failover,
  failoverPriority: texts,
  minClusterSize: ignored(nullable({ ...count, min: 1 }), 'small clusters are balanced by priority too'),
});
const loadBalancer = object(
  {
    simple: noted(
      choice('UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'),
      'PASSTHROUGH dials the host that the app named',
    ),
    consistentHash: object(
      {
        httpHeaderName: text,
        httpCookie: object(
          {
            name: text,
            path: ignored(text, 'a missing cookie is not made: let the app set it'),
            ttl: ignored(anyDuration, 'a missing cookie is not made: let the app set it'),
            attributes: ignored(list(object({ name: text, value: text }, ['name'])), 'a missing cookie is not made: let the app set it'),
          },
          ['name'],
        ),
        useSourceIp: noted(
          bool,
          'the address of who called the gateway; a call that begins in the process has none and is balanced at random',
        ),
        httpQueryParameterName: text,
        ringHash: object({ minimumRingSize: count }),
        maglev: object({ tableSize: count }),
        minimumRingSize: count,
      },
      [],
      [
        ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'],
        ['ringHash', 'maglev'],
      ],
    ),
    localityLbSetting: noted(
      locality,
      'a process says where it is with the label `topology.istio.io/locality: region.zone.subzone`, or `istio-locality`',
    ),
    zoneAwareLbSetting: zoneAware,
    warmup: noted(
      object({ duration, minimumPercent: nullable(percentNumber), aggression: nullable({ ...number, min: 0 }) }, ['duration']),
      'of ROUND_ROBIN and LEAST_REQUEST, as in Envoy',
    ),
    warmupDurationSecs: exactDuration,
  },
  [],
  [['simple', 'consistentHash']],
);

export const keepAlive: Schema = object({
  time: duration,
  interval: ignored(duration, "the operating system's value is used: Node sets the time only"),
  probes: ignored(count, "the operating system's value is used: Node sets the time only"),
});
const http: Fields = {
  http1MaxPendingRequests: smallCount,
  http2MaxRequests: smallCount,
  maxRequestsPerConnection: smallCount,
  maxRetries: smallCount,
  idleTimeout: duration,
  h2UpgradePolicy: noted(
    choice('DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE'),
    'UPGRADE needs a server that speaks HTTP/2 (an Envoy, a gRPC server); HTTP servers of Ripstop speak HTTP/1.1',
  ),
  useClientProtocol: ignored(bool, 'an app in the process has no protocol of its own'),
  maxConcurrentStreams: ignored(smallCount, 'at most 1,024 streams per connection'),
  http2KeepAlive: ignored(object({ interval: duration, timeout: duration })),
};
const connectionPoolFields: Fields = {
  tcp: object({
    maxConnections: smallCount,
    connectTimeout: duration,
    idleTimeout: noted(durationOrNone, 'of TCP, which gateways carry; http.idleTimeout closes idle HTTP connections; 0s is no limit'),
    maxConnectionDuration: duration,
    tcpKeepalive: keepAlive,
  }),
  http: object(http),
};
export const connectionPool: Schema = object(connectionPoolFields);

export const outlierDetection: Schema = object({
  splitExternalLocalOriginErrors: bool,
  consecutiveLocalOriginFailures: nullable(count),
  consecutiveGatewayErrors: nullable(count),
  consecutive5xxErrors: nullable(count),
  consecutiveErrors: ignored(int32, 'Istio ignores it as well: write consecutive5xxErrors'),
  interval: duration,
  baseEjectionTime: duration,
  maxEjectionPercent: wholePercent,
  minHealthPercent: wholePercent,
  outlierDetectionHttpErrorCodes: ignored(list({ ...integer, min: 100, max: 599 }), 'every 5xx counts'),
});

export const clientTls: Schema = object({
  mode: noted(
    choice('DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'),
    'for `http:` URLs; an `https:` URL is encrypted by the app itself and passes through',
  ),
  clientCertificate: text,
  privateKey: text,
  caCertificates: noted(text, "unset: the system's roots"),
  caCrl: noted(
    text,
    "a file on the client's machine beside `caCertificates`, with a list for each CA of the chain; without those nobody is trusted",
  ),
  credentialName: noted(
    text,
    'a Secret of the namespace of the client: a gateway, or workloads that workloadSelector names; others cannot call. `configmap://`: CA certificates for everybody',
  ),
  subjectAltNames: texts,
  sni: text,
  insecureSkipVerify: noted(nullable(bool), 'any server is believed, with a warning'),
});

const portPolicy: Fields = { loadBalancer, connectionPool, outlierDetection, tls: clientTls };
const trafficPolicy: Schema = object({
  ...portPolicy,
  portLevelSettings: { ...list(object({ port: object({ number: count }), ...portPolicy })), maxItems: 4096 },
  tunnel: refused(
    object({ protocol: text, targetHost: text, targetPort: count }, ['targetHost', 'targetPort']),
    'the connection would go past the tunnel',
  ),
  proxyProtocol: noted(
    object({ version: choice('V1', 'V2') }),
    "a gateway tells the ends of its caller's connection, an app those of its own; hosts with it are not called by gRPC",
  ),
  retryBudget: object({
    percent: noted(nullable(percentNumber), '20 by default'),
    minRetryConcurrency: noted(count, '3 by default'),
    budgetInterval: ignored(anyDuration, 'our messages are older than this setting: the budget is of the requests of the moment'),
  }),
});

export const destinationRule: Kind = {
  ...NETWORKING,
  kind: 'DestinationRule',
  status: 'used',
  spec: object(
    {
      host: text,
      trafficPolicy,
      subsets: list(object({ name: text, labels: map(text), trafficPolicy }, ['name'])),
      exportTo: texts,
      workloadSelector: noted(selector, 'for clients of the own namespace; exportTo does not count then'),
    },
    ['host'],
  ),
};

/** The connection pool of servers (Sidecar). */
export const inboundConnectionPool: Schema = noted(
  object(connectionPoolFields),
  "in front of an Envoy's app; a process's own server has its own limits (maxConnections)",
);
