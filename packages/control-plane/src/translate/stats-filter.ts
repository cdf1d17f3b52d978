import { IstioStatsConfig, packAny } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { ListenerClass } from '../push/telemetry.ts';
import type { MergedMetrics } from '../push/telemetry-metrics.ts';
import type { HttpFilterFields } from './filter-order.ts';
import { duration } from './values.ts';

/** Without the prefix `istio_` (istiod: metricToPrometheusMetric). */
const PROMETHEUS_NAMES: Readonly<Record<string, string>> = {
  REQUEST_COUNT: 'requests_total',
  REQUEST_DURATION: 'request_duration_milliseconds',
  REQUEST_SIZE: 'request_bytes',
  RESPONSE_SIZE: 'response_bytes',
  TCP_OPENED_CONNECTIONS: 'tcp_connections_opened_total',
  TCP_CLOSED_CONNECTIONS: 'tcp_connections_closed_total',
  TCP_SENT_BYTES: 'tcp_sent_bytes_total',
  TCP_RECEIVED_BYTES: 'tcp_received_bytes_total',
  GRPC_REQUEST_MESSAGES: 'request_messages_total',
  GRPC_RESPONSE_MESSAGES: 'response_messages_total',
};

/**
 * Istio's own filter `istio.stats`, for our own clients only: a stock Envoy does not have it. Sent when Telemetry changes something;
 * a client without it counts everything, so metrics that are off are dropped one by one.
 */
export function statsFilters(node: ProxyNode, push: PushContext, listener: ListenerClass): HttpFilterFields[] {
  if (!node.ripstop) return [];
  const merged = push.telemetry.metrics(node, listener, push.gatewaysOf(node.namespace, node.labels));
  const metrics = merged === undefined || merged.disabled ? ALL_DROPPED : overridesOf(merged);
  if (metrics.length === 0) return [];
  const reportingInterval = duration(merged?.reportingInterval);
  const config = IstioStatsConfig.fromPartial({
    disableHostHeaderFallback: listener !== 'outbound',
    ...(reportingInterval === undefined ? {} : { tcpReportingDuration: reportingInterval }),
    metrics: [...metrics],
  });
  return [{ name: 'istio.stats', configType: { $case: 'typedConfig', value: packAny(IstioStatsConfig, config) } }];
}

interface Metric {
  readonly name: string;
  readonly drop: boolean;
  readonly dimensions: Record<string, string>;
  readonly tagsToRemove: string[];
}

const ALL_DROPPED: readonly Metric[] = Object.values(PROMETHEUS_NAMES).map((name) => ({
  name,
  drop: true,
  dimensions: {},
  tagsToRemove: [],
}));

function overridesOf({ overrides }: MergedMetrics): Metric[] {
  return overrides.map(({ metric, drop, tags }) => ({
    name: PROMETHEUS_NAMES[metric] ?? metric,
    drop,
    dimensions: Object.fromEntries(tags.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))),
    tagsToRemove: tags.flatMap(({ name, value }) => (value === undefined ? [name] : [])),
  }));
}
