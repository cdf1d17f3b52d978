import type { TelemetryCustomTag, TelemetryProvider } from '@ripstop/istio-api';
import {
  type CustomTag,
  DatadogConfig,
  type HttpConnectionManager,
  OpenTelemetryConfig,
  packAny,
  SkyWalkingConfig,
  type Tracing_Http,
  ZipkinConfig,
  ZipkinConfig_CollectorEndpointVersion,
} from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService } from '../push/service.ts';
import type { ListenerClass } from '../push/telemetry.ts';
import { grpcService, upstreamOf } from './providers.ts';
import type { FieldsOf } from './values.ts';

type TracingFields = NonNullable<FieldsOf<typeof HttpConnectionManager>['tracing']>;
type TagFields = FieldsOf<typeof CustomTag>;

export interface ListenerTracing {
  /** Undefined = nothing is traced. */
  readonly tracing: TracingFields | undefined;
  /** The request id carries the decision; undefined = nobody said, which is yes. */
  readonly requestIdSampling: boolean | undefined;
}

/** How a node's listeners trace: as Telemetry asks for, else as MeshConfig does (istiod: configureTracing). */
export function listenerTracing(node: ProxyNode, push: PushContext, listener: ListenerClass): ListenerTracing {
  const { tracing: mesh } = push.proxySettings(node);
  const settings = push.telemetry.tracing(node, listener, push.gatewaysOf(node.namespace, node.labels));
  if (settings === undefined) {
    const tags = [...(mesh.istioTags ? istioTags(node) : []), ...customTags(mesh.customTags)];
    return { requestIdSampling: undefined, tracing: push.mesh.traces ? fields(mesh.sampling, tags, mesh.maxPathTagLength) : undefined };
  }
  const provider = settings.provider === undefined ? undefined : tracerOf(settings.provider, push.services);
  if (provider === undefined) return NOT_TRACED;
  const own = settings.customTags;
  const tags = [
    ...(settings.istioTags ? istioTags(node) : []),
    ...customTags(own === undefined || Object.keys(own).length === 0 ? mesh.customTags : own),
  ];
  const spawns = node.dialect === 'router' || settings.provider?.skywalking !== undefined;
  return {
    requestIdSampling: settings.requestIdSampling,
    tracing: {
      ...fields(settings.sampling ?? mesh.sampling, tags, provider.maxTagLength || mesh.maxPathTagLength),
      provider: provider.tracer,
      ...(spawns ? { spawnUpstreamSpan: true } : {}),
    },
  };
}

const NOT_TRACED: ListenerTracing = { tracing: undefined, requestIdSampling: undefined };

function fields(sampling: number, tags: readonly TagFields[], maxPathTagLength: number): TracingFields {
  return {
    clientSampling: { value: 100 },
    overallSampling: { value: 100 },
    randomSampling: { value: sampling },
    customTags: [...tags].sort((a, b) => (a.tag! < b.tag! ? -1 : 1)),
    ...(maxPathTagLength === 0 ? {} : { maxPathTagLength }),
  };
}

/** Who made the span, and what a dry run of a policy came to. */
function istioTags(node: ProxyNode): TagFields[] {
  const literal = (tag: string, value: string): TagFields => ({ tag, type: { $case: 'literal', value: { value } } });
  return [
    literal('istio.canonical_revision', node.labels['service.istio.io/canonical-revision'] ?? 'latest'),
    literal('istio.canonical_service', node.labels['service.istio.io/canonical-name'] ?? (node.ripstop ? node.workloadName : 'unknown')),
    literal('istio.cluster_id', node.clusterId),
    literal('istio.mesh_id', node.meshId),
    literal('istio.namespace', node.namespace),
    ...['allow', 'deny'].flatMap((action) => [
      dryRunTag(`istio.authorization.dry_run.${action}_policy.name`, `istio_dry_run_${action}_shadow_effective_policy_id`),
      dryRunTag(`istio.authorization.dry_run.${action}_policy.result`, `istio_dry_run_${action}_shadow_engine_result`),
    ]),
  ];
}

function dryRunTag(tag: string, key: string): TagFields {
  const metadataKey = { key: 'envoy.filters.http.rbac', path: [{ segment: { $case: 'key', value: key } as const }] };
  return { tag, type: { $case: 'metadata', value: { kind: { kind: { $case: 'request', value: {} } }, metadataKey } } };
}

function customTags(tags: Readonly<Record<string, TelemetryCustomTag>>): TagFields[] {
  return Object.entries(tags).flatMap(([tag, { literal, environment, header }]): TagFields[] => {
    if (environment !== undefined) return [{ tag, type: { $case: 'environment', value: environment } }];
    if (header !== undefined) return [{ tag, type: { $case: 'requestHeader', value: header } }];
    return literal === undefined ? [] : [{ tag, type: { $case: 'literal', value: literal } }];
  });
}

interface Tracer {
  readonly tracer: FieldsOf<typeof Tracing_Http>;
  readonly maxTagLength: number;
}

/** Undefined for a provider that does not trace, or whose service nobody knows. */
function tracerOf(provider: TelemetryProvider, services: readonly MeshService[]): Tracer | undefined {
  const { opentelemetry, zipkin, datadog, skywalking } = provider;
  const collector = opentelemetry ?? zipkin ?? datadog ?? skywalking;
  const upstream = collector === undefined ? undefined : upstreamOf(collector, services);
  if (collector === undefined || upstream === undefined) return undefined;
  const maxTagLength = (opentelemetry ?? zipkin ?? datadog)?.maxTagLength ?? 0;
  const named = (name: string, value: ReturnType<typeof packAny>): Tracer => ({
    tracer: { name, configType: { $case: 'typedConfig', value } },
    maxTagLength,
  });
  const { host, cluster } = upstream;
  if (opentelemetry !== undefined) {
    const config = OpenTelemetryConfig.fromPartial({ grpcService: grpcService(upstream) });
    return named('envoy.tracers.opentelemetry', packAny(OpenTelemetryConfig, config));
  }
  if (zipkin !== undefined) {
    const config = ZipkinConfig.fromPartial({
      collectorCluster: cluster,
      collectorEndpoint: zipkin.path || '/api/v2/spans',
      collectorHostname: host,
      collectorEndpointVersion: ZipkinConfig_CollectorEndpointVersion.HTTP_JSON,
      traceId128bit: zipkin.enable64bitTraceId !== true,
      sharedSpanContext: false,
    });
    return named('envoy.tracers.zipkin', packAny(ZipkinConfig, config));
  }
  if (datadog !== undefined) {
    const config = DatadogConfig.fromPartial({ collectorCluster: cluster, collectorHostname: host });
    return named('envoy.tracers.datadog', packAny(DatadogConfig, config));
  }
  const config = SkyWalkingConfig.fromPartial({ grpcService: grpcService(upstream) });
  return named('envoy.tracers.skywalking', packAny(SkyWalkingConfig, config));
}
