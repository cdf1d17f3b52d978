import { texts } from './common.ts';
import {
  anyDuration,
  anyObject,
  bool,
  choice,
  count,
  duration,
  ignored,
  ignoredFields,
  list,
  map,
  noted,
  object,
  port,
  type Schema,
  text,
} from './schema.ts';

const includeRequestBodyInCheck = object({ maxRequestBytes: count, allowPartialMessage: bool, packAsBytes: bool });
const clearRouteCache = ignored(bool, 'istiod does not pass it on either: the route stays as it was chosen');
const statusOnError = noted(text, 'a status that Envoy knows; 403 by default');
const service = noted(text, 'a host of the mesh, or <namespace>/<host>; without it every request of the policy is denied');
const timeout = noted(duration, '600 s by default, as in istiod');

const envoyExtAuthzHttp = object({
  service,
  port,
  timeout,
  pathPrefix: text,
  failOpen: bool,
  clearRouteCache,
  statusOnError,
  includeHeadersInCheck: noted(texts, 'the older form of includeRequestHeadersInCheck'),
  includeRequestHeadersInCheck: texts,
  includeAdditionalHeadersInCheck: map(text),
  includeRequestBodyInCheck,
  headersToUpstreamOnAllow: texts,
  headersToDownstreamOnDeny: texts,
  headersToDownstreamOnAllow: texts,
});

const envoyExtAuthzGrpc = object({ service, port, timeout, failOpen: bool, clearRouteCache, statusOnError, includeRequestBodyInCheck });

const OUR_OWN_FILES = 'for Envoys; our own processes write access logs to files only';
const OUR_OWN_SPANS = "for Envoys; our own processes hand spans to the app's OpenTelemetry SDK, which knows where they go";
const collector = { service: noted(text, 'a host of the mesh, or <namespace>/<host>; without it the provider is left out'), port };

const envoyFileAccessLog = object({
  path: noted(text, '/dev/stdout by default'),
  logFormat: object({ text, labels: noted(anyObject, 'JSON: strings are formats, the rest stands for itself') }, [], [['text', 'labels']]),
  omitEmptyValues: bool,
});
const grpcLog = { ...collector, logName: text, filterStateObjectsToLog: texts };
const headersToLog = {
  additionalRequestHeadersToLog: texts,
  additionalResponseHeadersToLog: texts,
  additionalResponseTrailersToLog: texts,
};
const tracer = { ...collector, maxTagLength: count };
const moreOfOtel = ignoredFields(
  {
    http: anyObject,
    grpc: anyObject,
    resourceDetectors: anyObject,
    dynatraceSampler: anyObject,
    serviceAttributeEnrichment: choice('ISTIO_CANONICAL', 'OTEL_SEMANTIC_CONVENTIONS'),
  },
  'spans are sent by gRPC, with the sampling of Telemetry',
);

/** One entry of MeshConfig.extensionProviders: whom policies and Telemetry name. */
export const extensionProvider: Schema = object({
  name: noted(text, 'lower-case letters, digits and hyphens, where a policy names it'),
  envoyExtAuthzHttp,
  envoyExtAuthzGrpc,
  envoyFileAccessLog,
  envoyHttpAls: noted(object({ ...grpcLog, ...headersToLog }), OUR_OWN_FILES),
  envoyTcpAls: noted(object(grpcLog), OUR_OWN_FILES),
  envoyOtelAls: noted(object({ ...collector, logName: text, logFormat: object({ text, labels: map(text) }) }), OUR_OWN_FILES),
  opentelemetry: noted(object({ ...tracer, ...moreOfOtel }), OUR_OWN_SPANS),
  zipkin: noted(
    object({
      ...tracer,
      path: text,
      enable64bitTraceId: bool,
      ...ignoredFields(
        {
          timeout: anyDuration,
          headers: list(object({ name: text, value: text, envName: text })),
          traceContextOption: choice('USE_B3', 'USE_B3_WITH_W3C_PROPAGATION'),
        },
        'our messages are older than these settings',
      ),
    }),
    OUR_OWN_SPANS,
  ),
  datadog: noted(object(tracer), OUR_OWN_SPANS),
  skywalking: noted(object({ ...collector, ...ignoredFields({ accessToken: text }) }), OUR_OWN_SPANS),
  prometheus: noted(object({}), 'the standard metrics, at /stats/prometheus of every process'),
  ...ignoredFields({ lightstep: anyObject, stackdriver: anyObject, opencensus: anyObject }, 'Istio has given it up: use opentelemetry'),
  sds: ignored(anyObject, 'certificates come from the control plane'),
});
