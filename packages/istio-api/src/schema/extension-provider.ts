import { texts } from './common.ts';
import { any, bool, count, duration, ignored, ignoredFields, map, noted, object, port, type Schema, text } from './schema.ts';

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

/** One entry of MeshConfig.extensionProviders: whom policies and Telemetry name. */
export const extensionProvider: Schema = object({
  name: noted(text, 'lower-case letters, digits and hyphens, where a policy names it'),
  envoyExtAuthzHttp,
  envoyExtAuthzGrpc,
  ...ignoredFields(
    {
      zipkin: any,
      lightstep: any,
      datadog: any,
      stackdriver: any,
      opencensus: any,
      skywalking: any,
      opentelemetry: any,
      prometheus: any,
      envoyFileAccessLog: any,
      envoyHttpAls: any,
      envoyTcpAls: any,
      envoyOtelAls: any,
      sds: any,
    },
    'no Telemetry asks for one yet',
  ),
});
