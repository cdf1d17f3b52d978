import { texts } from './common.ts';
import {
  bool,
  choice,
  count,
  duration,
  durationOrNone,
  ignored,
  list,
  map,
  noted,
  number,
  object,
  port,
  type Schema,
  text,
} from './schema.ts';

/* Routes of the Gateway API (gateway.networking.k8s.io/v1). */

const namedValue = object({ type: choice('Exact', 'RegularExpression'), name: text, value: text }, ['name', 'value']);
const headerValue = object({ name: text, value: text }, ['name', 'value']);
const headerModifier = object({ set: list(headerValue), add: list(headerValue), remove: texts });
const pathModifier = object(
  { type: choice('ReplaceFullPath', 'ReplacePrefixMatch'), replaceFullPath: text, replacePrefixMatch: text },
  [],
  [['replaceFullPath', 'replacePrefixMatch']],
);
const backendFields = {
  group: text,
  kind: noted(text, 'Service, Hostname (a host of a ServiceEntry), ServiceImport (as Service); requests for others get 500'),
  name: text,
  namespace: text,
  port,
};
const backend = object(backendFields, ['name']);

const FILTERS = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestMirror', 'RequestRedirect', 'URLRewrite', 'CORS'] as const;

const filter = object(
  {
    type: choice(...FILTERS),
    requestHeaderModifier: headerModifier,
    responseHeaderModifier: headerModifier,
    requestMirror: object({ backendRef: backend, percent: count, fraction: object({ numerator: count, denominator: count }) }, [
      'backendRef',
    ]),
    requestRedirect: object({
      scheme: choice('http', 'https'),
      hostname: text,
      path: pathModifier,
      port,
      statusCode: noted(number, '301, 302, 303, 307 or 308'),
    }),
    urlRewrite: object({ hostname: text, path: pathModifier }),
    cors: object({
      allowOrigins: texts,
      allowMethods: texts,
      allowHeaders: texts,
      exposeHeaders: texts,
      maxAge: count,
      allowCredentials: bool,
    }),
  },
  ['type'],
);

const backendFilter = object(
  {
    type: choice('RequestHeaderModifier', 'ResponseHeaderModifier'),
    requestHeaderModifier: headerModifier,
    responseHeaderModifier: headerModifier,
  },
  ['type'],
);

const parentRefs = list(
  object(
    {
      group: text,
      kind: noted(text, 'Gateway, Service, or ServiceEntry of networking.istio.io'),
      name: text,
      namespace: text,
      sectionName: noted(text, 'a listener of a Gateway; a Service has none'),
      port: noted(port, 'the route is for this port alone'),
    },
    ['name'],
  ),
);
const useDefaultGateways = ignored(text, 'name the Gateway in parentRefs');

const route = (match: Schema): Schema =>
  object({
    parentRefs,
    hostnames: noted(texts, "at Gateways; the host of a mesh route is its Service's"),
    useDefaultGateways,
    rules: list(
      object({
        name: noted(text, 'else a route is named `<namespace>.<route>.<rule>`, as by istiod'),
        matches: list(match),
        filters: list(filter),
        backendRefs: noted(
          list(object({ ...backendFields, weight: count, filters: list(backendFilter) }, ['name'])),
          'a Service that does not exist answers 500; at Gateways another namespace must grant it (ReferenceGrant), in the mesh not, as in Istio',
        ),
        timeouts: object({ request: durationOrNone, backendRequest: durationOrNone }),
        retry: object({ codes: list(number), attempts: count, backoff: duration }),
        sessionPersistence: ignored(map(text), 'write a DestinationRule with consistentHash'),
      }),
    ),
  });

export const httpRouteSpec: Schema = route(
  object({
    path: object({ type: choice('Exact', 'PathPrefix', 'RegularExpression'), value: text }),
    headers: list(namedValue),
    queryParams: list(namedValue),
    method: text,
  }),
);

export const grpcRouteSpec: Schema = route(
  object({
    method: object({ type: choice('Exact', 'RegularExpression'), service: text, method: text }),
    headers: list(namedValue),
  }),
);

const streamRules = list(
  object({
    name: noted(text, 'for people: a route of bytes has no name'),
    backendRefs: noted(
      list(object({ ...backendFields, kind: noted(text, 'Service, Hostname, ServiceImport'), weight: count }, ['name'])),
      'connections end where none has a weight, or where one does not exist; at Gateways another namespace must grant it (ReferenceGrant)',
    ),
  }),
);

export const tlsRouteSpec: Schema = object({
  parentRefs,
  hostnames: noted(texts, 'names in the handshake; in the mesh else those of the Service'),
  useDefaultGateways,
  rules: streamRules,
});

export const tcpRouteSpec: Schema = object({ parentRefs, useDefaultGateways, rules: streamRules });
