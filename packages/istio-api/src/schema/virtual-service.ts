import { portNumber as portSelector, stringMatch, texts } from './common.ts';
import { type Kind, NETWORKING } from './kind.ts';
import {
  bool,
  choice,
  count,
  duration,
  type Fields,
  ignored,
  int32,
  integer,
  list,
  map,
  noted,
  nullable,
  object,
  percentNumber,
  port,
  refused,
  type Schema,
  smallCount,
  text,
  wholePercent,
} from './schema.ts';

const destination = object({ host: text, subset: text, port: portSelector }, ['host']);
const operations = object({ set: map(text), add: map(text), remove: list(text) });
const headers = object({ request: operations, response: operations });
const percent = object({ value: percentNumber });
const status: Schema = { ...integer, min: 200, max: 599 };

const httpMatch = object({
  name: text,
  uri: stringMatch,
  scheme: stringMatch,
  method: stringMatch,
  authority: stringMatch,
  headers: noted(
    map(stringMatch),
    '`@request.auth.claims.group` and `@request.auth.claims[realm][roles]` are claims of a token that a RequestAuthentication verifies at the gateway',
  ),
  withoutHeaders: noted(map(stringMatch), 'claims as in `headers`'),
  queryParams: map(stringMatch),
  ignoreUriCase: bool,
  port,
  sourceLabels: map(text),
  sourceNamespace: text,
  gateways: texts,
  statPrefix: ignored(text, 'there are no statistics by route; the route name is in access logs'),
});

/** gRPC status names of `fault.abort.grpcStatus`; a name's place is its number. */
export const GRPC_STATUS_NAMES: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

const httpRoute = object(
  {
    name: text,
    match: list(httpMatch),
    route: list(object({ destination, weight: smallCount, headers }, ['destination'])),
    redirect: object(
      {
        uri: text,
        authority: text,
        port: count,
        derivePort: choice('FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'),
        scheme: text,
        redirectCode: noted(count, '301, 302, 303, 307 or 308'),
        prefixRewrite: text,
      },
      [],
      [['port', 'derivePort']],
    ),
    directResponse: object({ status, body: object({ string: text, bytes: text }, [], [['string', 'bytes']]) }, ['status']),
    delegate: object({ name: text, namespace: text }),
    rewrite: object({ uri: text, authority: text, uriRegexRewrite: object({ match: text, rewrite: text }) }),
    timeout: duration,
    retries: object({
      attempts: smallCount,
      perTryTimeout: duration,
      retryOn: noted(text, "Envoy's HTTP and gRPC conditions, and status codes"),
      retryRemoteLocalities: nullable(bool),
      retryIgnorePreviousHosts: nullable(bool),
      backoff: duration,
    }),
    fault: object({
      delay: object(
        {
          fixedDelay: duration,
          percentage: percent,
          percent: wholePercent,
          exponentialDelay: refused(duration, 'Istio has not implemented it either: use fixedDelay'),
        },
        [],
        [['fixedDelay', 'exponentialDelay']],
      ),
      abort: object(
        {
          httpStatus: status,
          grpcStatus: choice(...GRPC_STATUS_NAMES),
          http2Error: refused(text, 'Istio has not implemented it either: use httpStatus or grpcStatus'),
          percentage: percent,
        },
        [],
        [['httpStatus', 'grpcStatus', 'http2Error']],
      ),
    }),
    mirror: destination,
    mirrors: list(object({ destination, percentage: percent }, ['destination'])),
    mirrorPercentage: percent,
    mirrorPercent: nullable(wholePercent),
    mirror_percent: nullable(wholePercent),
    corsPolicy: noted(
      object({
        allowOrigins: list(stringMatch),
        allowOrigin: texts,
        allowMethods: texts,
        allowHeaders: texts,
        exposeHeaders: texts,
        maxAge: duration,
        allowCredentials: nullable(bool),
        unmatchedPreflights: choice('UNSPECIFIED', 'FORWARD', 'IGNORE'),
      }),
      'at a gateway, and for calls of the mesh that carry an Origin',
    ),
    headers,
  },
  [],
  // A directResponse beside a delegate is what the delegate's routes inherit.
  [
    ['route', 'redirect', 'directResponse'],
    ['route', 'redirect', 'delegate'],
  ],
);

const TCP_NOTE = 'at gateways; what is not HTTP leaves a process by its own way, and a warning says so (an Envoy is sent these routes)';

const l4Match: Fields = { destinationSubnets: texts, port, sourceLabels: map(text), gateways: texts, sourceNamespace: text };
const l4Route = list(object({ destination, weight: int32 }, ['destination']));

export const virtualService: Kind = {
  ...NETWORKING,
  kind: 'VirtualService',
  status: 'used',
  spec: object({
    hosts: texts,
    gateways: texts,
    http: list(httpRoute),
    tls: noted(list(object({ match: list(object({ sniHosts: texts, ...l4Match }, ['sniHosts'])), route: l4Route }, ['match'])), TCP_NOTE),
    tcp: noted(list(object({ match: list(object({ ...l4Match, sourceSubnet: text })), route: l4Route })), TCP_NOTE),
    exportTo: texts,
  }),
};
