import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { ListenerClass } from '../push/telemetry.ts';
import { type AccessLogFields, accessLogs } from './access-logs.ts';
import type { HttpFilterFields } from './filter-order.ts';
import { statsFilters } from './stats-filter.ts';
import { type ListenerTracing, listenerTracing } from './tracing.ts';

/** What a node's listeners of one class tell about their requests; made once for all of them. */
export interface ListenerTelemetry extends ListenerTracing {
  readonly accessLogs: readonly AccessLogFields[];
  /** Metrics that are counted otherwise than by default; stands before the router. */
  readonly stats: readonly HttpFilterFields[];
}

export function listenerTelemetry(node: ProxyNode, push: PushContext, listener: ListenerClass): ListenerTelemetry {
  return {
    accessLogs: accessLogs(node, push, listener),
    stats: statsFilters(node, push, listener),
    ...listenerTracing(node, push, listener),
  };
}
