/** What is told of exchanges: Istio's standard metrics, access logs, spans. It changes nothing of an exchange but its trace headers. */

export { compileAccessLog, compileFormat, type LogEntry } from './access-log/format.ts';
export { type AdminRoute, type AdminServer, type AdminServerOptions, createAdminServer } from './admin-server.ts';
export type { TelemetryNode } from './metrics/labels.ts';
export type { Gauge } from './metrics/prometheus.ts';
export { createTelemetry, Telemetry, type TelemetryOptions } from './telemetry.ts';
export { formatTraceparent, parseTraceparent, type TraceContext } from './trace/trace-context.ts';
